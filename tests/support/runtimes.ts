/**
 * The three runtimes of node_modules/.bin, for tests that start child processes. The binaries are
 * found from this file's place, whatever the working directory and PATH are.
 */

import { fileURLToPath } from "node:url";
import { type RuntimeName, runtimeName } from "../../src/platform/natives.ts";

/** Every supported runtime. */
export const runtimeNames: readonly Exclude<RuntimeName, "other">[] = ["node", "deno", "bun"];

/**
 * The one that runs this test. A test that is about a child of some runtime starts one of this
 * runtime: the tests run on all three, and so each of them is tried, once.
 */
export const thisRuntime: typeof runtimeNames = runtimeNames.filter((name) => name === runtimeName);

/**
 * The command that runs `script` (a path) under a runtime. Deno gets `denoPermissions`, all by
 * default, and never asks; its check of types is left out, as the other two have none.
 */
export function runtimeCommand(
  name: RuntimeName,
  script: string,
  args: string[],
  denoPermissions: string[] = ["--allow-all"],
): { command: string; args: string[] } {
  if (name === "other") throw new TypeError("Cannot run a script: the runtime is unknown");
  const command = fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url));
  switch (name) {
    case "node":
      return { command, args: ["--no-warnings", script, ...args] };
    case "bun":
      return { command, args: [script, ...args] };
    case "deno":
      return {
        command,
        args: ["run", "--no-prompt", "--no-check", ...denoPermissions, script, ...args],
      };
  }
}
