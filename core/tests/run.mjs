// Runs a WebAssembly program that only reads its arguments and prints, as core_tests does: `node run.mjs PROGRAM ARGUMENT...`.
// Not by node:wasi: Node 20's damaged its own memory when the program's grew.
import { readFileSync, writeSync } from "node:fs";

const given = process.argv.slice(2).map((argument) => Buffer.from(argument + "\0"));
let memory;
const put = (value, at) => new DataView(memory.buffer).setUint32(at, value, true);
const get = (at) => new DataView(memory.buffer).getUint32(at, true);
const not_supported = 52;

const wasi_snapshot_preview1 = {
  args_sizes_get(count, size) {
    put(given.length, count);
    put(Buffer.concat(given).length, size);
    return 0;
  },
  args_get(pointers, at) {
    for (const argument of given) {
      put(at, pointers);
      new Uint8Array(memory.buffer).set(argument, at);
      pointers += 4;
      at += argument.length;
    }
    return 0;
  },
  fd_write(file, pieces, count, written) {
    let sum = 0;
    for (let piece = pieces; piece < pieces + 8 * count; piece += 8)
      sum += writeSync(file, new Uint8Array(memory.buffer, get(piece), get(piece + 4)));
    put(sum, written);
    return 0;
  },
  fd_fdstat_get: () => not_supported,
  fd_seek: () => not_supported,
  fd_close: () => 0,
  proc_exit: (status) => process.exit(status),
};

const program = new WebAssembly.Module(readFileSync(process.argv[2]));
const instance = new WebAssembly.Instance(program, { wasi_snapshot_preview1 });
memory = instance.exports.memory;
instance.exports._start();
