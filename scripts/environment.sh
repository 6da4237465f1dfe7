# Sourced by the other scripts: `set_up VENV EXTRA` makes a virtual environment that holds the project, the packages of
# the extra and the compiled core, and does again only what changed. Needs Python 3.11 or later and Git, nothing else.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
zig_package=ziglang==0.17.1

# alive MESSAGE COMMAND...: runs the command, shows a dot every second, and its output only if it fails.
alive() {
  local log=$venv/set-up.log started=$SECONDS status=0
  printf '%s ' "$1"
  (while sleep 1; do printf .; done) &
  local dots=$!
  trap 'kill "$dots" 2>/dev/null' EXIT
  "${@:2}" >"$log" 2>&1 </dev/null || status=$?
  kill "$dots" && wait "$dots" 2>/dev/null || true
  trap - EXIT
  if [ $status -ne 0 ]; then printf ' failed; %s ends:\n' "$log"; tail -n 40 "$log"; exit $status; fi
  printf ' %s s\n' $((SECONDS - started))
}

find_python() {
  local name
  for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
    "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$name" && return
  done
  echo "hillwalker needs Python 3.11 or later with its module venv (Debian, Ubuntu: apt install python3-venv)." >&2
  return 1
}

# compiles COMPILER...: whether it makes a C++20 program, standard library included, that runs.
compiles() {
  printf '#include <bit>\n#include <iostream>\n#include <span>\nint main() { std::cout << std::bit_width(8u); }\n' |
    "$@" -std=c++20 -x c++ - -o "$venv/hello" 2>/dev/null && [ "$("$venv/hello")" = 4 ]
}

# Sets CXX: the user's choice, else the machine's compiler, else Zig's, which is a Python package.
find_compiler() {
  local name tool
  if [ -n "${CXX:-}" ]; then
    compiles $CXX && return
    echo "CXX=$CXX does not compile C++20 here; unset CXX to let this script choose." >&2
    exit 1
  fi
  for name in g++ clang++ c++; do
    if compiles "$name"; then export CXX=$name; return; fi
  done
  alive "No C++20 compiler found, installing the package ziglang as one" \
    "$venv/bin/python" -m pip install "$zig_package"
  mkdir -p "$venv/zig"
  # Zig's default is this very processor, but the core chooses its instruction sets itself. CMake looks for ar and ranlib
  # beside the compiler.
  for tool in "zig-c++ c++ -mcpu=baseline -fno-sanitize=undefined" "ar ar" "ranlib ranlib"; do
    printf '#!/bin/sh\nexec "%s/bin/python" -m ziglang %s "$@"\n' "$PWD/$venv" "${tool#* }" >"$venv/zig/${tool%% *}"
    chmod +x "$venv/zig/${tool%% *}"
  done
  export CXX=$PWD/$venv/zig/zig-c++
}

# A build folder for each compiler, kept, so that only what changed is compiled.
install_project() {
  "$venv/bin/python" -m pip install --no-build-isolation "--config-settings=build-dir=$venv/core/${CXX##*/}" "$@"
}

set_up() {
  venv=$1
  local python packages core build_requires
  # Anew if it was never finished, if the folder has moved, or if its Python is gone.
  if [ "$(cat "$venv/ready" 2>/dev/null)" != "$PWD" ] || ! "$venv/bin/python" -c ''; then
    python=$(find_python)
    rm -rf "$venv" && mkdir "$venv"
    alive "Making the virtual environment $venv with $("$python" --version)" "$python" -m venv "$venv"
    build_requires='import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])'
    alive "Installing the build tools" "$venv/bin/python" -m pip install --upgrade pip cmake ninja \
      $("$venv/bin/python" -c "$build_requires")
    pwd >"$venv/ready"
  fi
  packages=$(git hash-object pyproject.toml)
  core=$(find CMakeLists.txt core -type f | LC_ALL=C sort | xargs cat | git hash-object --stdin)
  core="$core $packages ${CXX:-}"
  if [ "$(cat "$venv/packages-$2" 2>/dev/null)" != "$packages" ]; then
    find_compiler
    alive "Installing packages ($2) and compiling the core with $CXX" install_project --editable ".[$2]"
  elif [ "$(cat "$venv/core.built" 2>/dev/null)" != "$core" ]; then
    find_compiler
    alive "Compiling what changed in the core with $CXX" install_project --no-deps --editable .
  fi
  echo "$packages" >"$venv/packages-$2"
  echo "$core" >"$venv/core.built"
}
