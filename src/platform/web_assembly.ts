/**
 * Whether there is WebAssembly. It is missing with V8's `--jitless`, in some embedders, and if a
 * policy forbids compiling: then the global is missing, or refuses every module.
 */

/** The empty module: a magic number and a version. */
const EMPTY_MODULE = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** Whether modules can be compiled here. */
export const hasWebAssembly: boolean = tryEmptyModule();

function tryEmptyModule(): boolean {
  try {
    return new WebAssembly.Module(EMPTY_MODULE) !== undefined;
  } catch {
    // A ReferenceError, or whatever a policy throws: the module itself is right.
    return false;
  }
}
