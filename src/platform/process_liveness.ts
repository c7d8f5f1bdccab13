/**
 * Whether the process that a lock's record names is alive, as far as this process can tell.
 *
 * A process id alone says little: the system uses it again, after a kill or a boot, and it means
 * something else in every container. So a record names the start time of the process, its
 * namespace, the run of the system and the machine. The answer is "dead" or "alive" only if these
 * are known on both sides. If they are not (Deno without `--allow-all`, Node under `--permission`,
 * macOS, Windows), the answer is mostly "unknown", and the caller asks the holder itself
 * (directory_lock.ts).
 */

import { nativeCrc32, TextEncoder } from "./natives.ts";
import { nodeModule, process, runtimeName } from "./runtime.ts";
import type { Holder } from "./lock_record.ts";
import { osCodeOf } from "./posix_handles.ts";

const fs = nodeModule("node:fs");

/** What is known of a holder; "here" is a thread of the asking process, which may have ended. */
export type Liveness = "alive" | "dead" | "unknown" | "here";

/** Where a process runs; a field that it could not find out is "". */
export type Surroundings = Pick<Holder, "started" | "pidNamespace" | "boot" | "machine">;

/** The ways to look at a process id. */
export interface ProcessLooks {
  /** Start time of the process with that id, or undefined if there is none (or it has ended). */
  startOf(pid: number): string | undefined;
  /** Whether there is a process with that id; undefined if it can't be told. */
  exists(pid: number): boolean | undefined;
}

/** Whether the process that took the lock lives. `self` is the process that asks. */
export function livenessOf(
  holder: Holder,
  self: Surroundings & { readonly pid: number },
  looks: ProcessLooks,
): Liveness {
  if (holder.boot !== "" && self.boot !== "" && holder.boot !== self.boot) {
    // Another machine may share the directory through a network file system.
    return holder.machine !== "" && holder.machine === self.machine ? "dead" : "unknown";
  }
  if (self.started === "") {
    // No /proc. Systems that never have one have no namespaces of processes either.
    if (holder.started !== "" || process.platform === "linux") return "unknown";
    return looks.exists(holder.pid) === false ? "dead" : "unknown";
  }
  if (holder.started === "" || holder.boot === "" || self.boot === "") return "unknown";
  if (holder.pidNamespace === "" || holder.pidNamespace !== self.pidNamespace) return "unknown";
  if (looks.startOf(holder.pid) !== holder.started) return "dead";
  return holder.pid === self.pid ? "here" : "alive";
}

let found: Surroundings | undefined;

/** The surroundings of this process. Read once: they do not change. */
export function surroundings(): Surroundings {
  return found ??= {
    started: startTime(process.pid) ?? "",
    pidNamespace: /\d+/.exec(readLink("/proc/self/ns/pid"))?.[0] ?? "",
    boot: readText("/proc/sys/kernel/random/boot_id"),
    machine: fingerprint(readText("/etc/machine-id")),
  };
}

/** Looks at the processes of this system. */
export const systemProcesses: ProcessLooks = {
  startOf: startTime,
  exists(pid) {
    try {
      process.kill(pid, 0);
      return true;
    } catch (error) {
      const code = osCodeOf(error);
      return code === "ESRCH" ? false : code === "EPERM" ? true : undefined;
    }
  },
};

/** The start time of a process in ticks of the system, or undefined if there is none. */
function startTime(pid: number): string | undefined {
  const text = readText(`/proc/${pid}/stat`);
  // The name in parentheses may hold anything; state is the first field after it, start time the
  // 20th.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  // A zombie holds nothing any more; its parent has only not read its exit code yet.
  if (!text.startsWith(`${pid} (`) || state === "Z" || state === "X") return undefined;
  return fields[19];
}

/** The machine's id must not be shown to everybody. */
function fingerprint(id: string): string {
  return id === "" ? "" : nativeCrc32(new TextEncoder().encode(id)).toString(16);
}

function readText(path: string): string {
  try {
    return mayRead(path) ? fs.readFileSync(path, "utf8").trim() : "";
  } catch {
    return "";
  }
}

function readLink(path: string): string {
  try {
    return mayRead(path) ? fs.readlinkSync(path) : "";
  } catch {
    return "";
  }
}

/**
 * On a terminal, Deno asks the user for permissions that were not granted. Nobody must be asked for
 * this.
 */
function mayRead(path: string): boolean {
  if (runtimeName !== "deno") return true;
  const { Deno } = globalThis as unknown as {
    Deno: {
      permissions: { querySync(of: { name: "read"; path: string }): { readonly state: string } };
    };
  };
  return Deno.permissions.querySync({ name: "read", path }).state === "granted";
}
