/**
 * Groups of processes whose memory the kernel limits together, page cache included: memory cgroups
 * of Linux, of version 1 (`/sys/fs/cgroup/memory`) or 2 (`/sys/fs/cgroup`). Version 2 was not run.
 *
 * A page of a file counts for the group that read or wrote it first. So a store that was made
 * outside of the group has to be dropped from the page cache before it is read inside.
 */

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { setTimeout } from "node:timers/promises";

/** What a group uses. */
export interface MemoryUse {
  /** Everything that counts. */
  readonly bytes: number;
  /** The page cache among it. */
  readonly cacheBytes: number;
  /** The most that it ever was. */
  readonly peakBytes: number;
}

interface Names {
  readonly limit: string;
  readonly use: string;
  readonly peak: string;
  /** Line of memory.stat with the page cache. */
  readonly cache: string;
}

const VERSION_1: Names = {
  limit: "memory.limit_in_bytes",
  use: "memory.usage_in_bytes",
  peak: "memory.max_usage_in_bytes",
  cache: "total_cache",
};

const VERSION_2: Names = {
  limit: "memory.max",
  use: "memory.current",
  peak: "memory.peak",
  cache: "file",
};

/** A group; remove it when its processes have ended. */
export class MemoryGroup {
  readonly directory: string;
  readonly limitBytes: number;
  readonly #names: Names;

  private constructor(directory: string, limitBytes: number, names: Names) {
    this.directory = directory;
    this.limitBytes = limitBytes;
    this.#names = names;
  }

  /** Makes a group of this name, or takes the one that is there; else returns why it can't. */
  static make(name: string, limitBytes: number): MemoryGroup | string {
    const isFirst = existsSync("/sys/fs/cgroup/memory");
    const names = isFirst ? VERSION_1 : VERSION_2;
    const directory = path.join(isFirst ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup", name);
    try {
      mkdirSync(directory, { recursive: true });
      writeFileSync(path.join(directory, names.limit), String(limitBytes));
      return new MemoryGroup(directory, limitBytes, names);
    } catch (error) {
      return `cannot make a memory cgroup "${directory}": ${(error as Error).message}`;
    }
  }

  /** The group of that directory, made elsewhere. */
  static at(directory: string): MemoryGroup {
    const names = existsSync(path.join(directory, VERSION_1.limit)) ? VERSION_1 : VERSION_2;
    const limit = Number(readFileSync(path.join(directory, names.limit), "utf8"));
    return new MemoryGroup(directory, limit, names);
  }

  /** The command that runs `command` inside. */
  command(command: string, argumentsOf: readonly string[]): readonly [string, readonly string[]] {
    const enter = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
    return ["/bin/sh", ["-c", enter, this.directory, command, ...argumentsOf]];
  }

  /** What it uses now. */
  use(): MemoryUse {
    const read = (name: string): string => readFileSync(path.join(this.directory, name), "utf8");
    const stat = new RegExp(`^${this.#names.cache} (\\d+)$`, "m").exec(read("memory.stat"));
    return {
      bytes: Number(read(this.#names.use)),
      cacheBytes: Number(stat?.[1] ?? 0),
      peakBytes: Number(read(this.#names.peak)),
    };
  }

  /** Removes the group. Its last process may still be ending. */
  async remove(): Promise<void> {
    for (let attempt = 0;; attempt++) {
      try {
        rmdirSync(this.directory);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EBUSY" || attempt === 20) throw error;
        await setTimeout(100);
      }
    }
  }
}
