# Sourced by the scripts that run the core's own tests: `build_core_tests NAME COMPILER OPTION...` compiles core/ without
# bindings.cpp, and core/tests, and sets `program`. COMPILER is CMake's: a command and its arguments with ; between them.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
set_up .venv check
PATH=$PWD/.venv/bin:$PATH

build_core_tests() {
  program=$PWD/.venv/core-tests/$1/core_tests
  alive "Configuring for $1" cmake -S . -B ".venv/core-tests/$1" -G Ninja -DHILLWALKER_CORE_TESTS=ON \
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "-DCMAKE_CXX_COMPILER=$2" "${@:3}"
  alive "Compiling" ninja -C ".venv/core-tests/$1"
}

# Sets `zig` to Zig's C++ compiler for any processor, which is a Python package, as a command for CMake.
find_zig() {
  alive "Installing the package $zig_package" python -m pip install "$zig_package"
  zig="$PWD/.venv/bin/python;-m;ziglang;c++;-fno-sanitize=undefined"
}
