/**
 * A PostgreSQL server of its own for tests: in a temporary folder, on a free port, with fsync. It
 * runs as the user `postgres` if the tests run as root, because servers refuse to.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** A running server. */
export interface Server {
  /** Its address for a client: by TCP, user and database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  /** Runs SQL by `psql`, and returns its output. */
  sql(text: string): string;
  /** Kills the postmaster and all backends by SIGKILL. */
  kill(): Promise<void>;
  /** The number of clients that are connected. */
  clients(): number;
  /** The numbers of all its processes. */
  processes(): number[];
  /** Kills the backend of one client by SIGKILL. False if there is no client. */
  killBackend(): boolean;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/** The folder of `initdb` and `postgres`, or undefined if there is no server on this machine. */
function binaries(): string {
  const top = "/usr/lib/postgresql";
  const versions = existsSync(top) ? readdirSync(top).sort((a, b) => Number(b) - Number(a)) : [];
  for (const version of versions) {
    const folder = join(top, version, "bin");
    if (existsSync(join(folder, "postgres"))) return folder;
  }
  const found = spawnSync("which", ["initdb"], { encoding: "utf8" }).stdout
    .trim();
  if (found !== "") return join(found, "..");
  throw new Error(
    "Cannot test: PostgreSQL is not installed (apt-get install postgresql)",
  );
}

const isRoot = process.getuid?.() === 0;

/** The command and arguments that run a program as a user who may run servers. */
function unprivileged(
  program: string,
  given: readonly string[],
): [string, string[]] {
  if (!isRoot) return [program, [...given]];
  return ["setpriv", [
    "--reuid=postgres",
    "--regid=postgres",
    "--clear-groups",
    program,
    ...given,
  ]];
}

function run(
  program: string,
  given: readonly string[],
  folder: string,
): string {
  const [command, parameters] = unprivileged(program, given);
  const result = spawnSync(command, parameters, {
    encoding: "utf8",
    cwd: folder,
  });
  if (result.status === 0) return result.stdout;
  throw new Error(
    `${program} failed: ${result.stderr || result.stdout || result.error}`,
  );
}

/** Settings beside the defaults. */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  fsync: "on",
  max_connections: "100",
  shared_buffers: "64MB",
  max_wal_size: "256MB",
  autovacuum: "on",
  logging_collector: "off",
  // One call before a recovery, and not one for each of a thousand files: a second instead of four.
  ...(process.platform === "linux" ? { recovery_init_sync_method: "syncfs" } : {}),
} as const;

/** Starts a server. `settings` are added to its command line. */
export async function startServer(
  settings: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const bin = binaries();
  const folder = mkdtempSync(join(tmpdir(), "tinykvs-postgres-"));
  if (isRoot) spawnSync("chown", ["postgres:postgres", folder]);
  const data = join(folder, "data");
  run(join(bin, "initdb"), [
    "--pgdata",
    data,
    "--username=postgres",
    "--auth=trust",
    "--no-sync",
    "--encoding=UTF8",
    "--locale=C",
  ], folder);
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const once = (text: string): string =>
    run(join(bin, "psql"), [
      "-X",
      "-q",
      "-t",
      "-A",
      "-v",
      "ON_ERROR_STOP=1",
      "-c",
      text,
      url,
    ], folder);
  const psql = (text: string): string => {
    // The server refuses connections for a moment while it recovers.
    for (let attempt = 0;; attempt++) {
      try {
        return once(text);
      } catch (error) {
        if (attempt === 50 || !/connection to server/.test(String(error))) {
          throw error;
        }
        spawnSync("sleep", ["0.1"]);
      }
    }
  };
  let child: ChildProcess | undefined;
  let ended: Promise<void> = Promise.resolve();

  const start = async (): Promise<void> => {
    const all = {
      ...SETTINGS,
      ...settings,
      port: String(port),
      unix_socket_directories: folder,
    };
    const given = Object.entries(all).flatMap((
      [name, value],
    ) => ["-c", `${name}=${value}`]);
    const [command, parameters] = unprivileged(join(bin, "postgres"), [
      "-D",
      data,
      ...given,
    ]);
    const started = spawn(command, parameters, {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
    child = started;
    let output = "";
    started.stderr!.on(
      "data",
      (text) => output = `${output}${text}`.slice(-4000),
    );
    let isOver = false;
    ended = new Promise((resolve) =>
      started.on("exit", () => {
        isOver = true;
        resolve();
      })
    );
    while (!isReady(started.pid)) {
      if (isOver) throw new Error(`the server ended: ${output}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  /** The lines of the file in which the postmaster says who and how it is. */
  const status = (): string[] => {
    const file = join(data, "postmaster.pid");
    return existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
  };

  /** Without a connection: a program that asks by one takes more time than the server to start. */
  const isReady = (pid: number | undefined): boolean => {
    const lines = status();
    return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
  };

  const childrenOf = (pid: string, ...filter: string[]): number[] => {
    const { stdout } = spawnSync("pgrep", ["-P", pid, ...filter], { encoding: "utf8" });
    return stdout.split("\n").filter((line) => line !== "").map(Number);
  };

  /** The titles of backends have the addresses of their clients. */
  const backends = (): number[] => childrenOf(status()[0]!, "-f", "127\\.0\\.0\\.1");

  const end = async (
    signal: "SIGKILL" | "SIGQUIT" | "SIGINT",
  ): Promise<void> => {
    if (signal === "SIGKILL") {
      // Its backends end when they notice; those of this test must not live on for a moment.
      const children = childrenOf(status()[0]!);
      child?.kill("SIGKILL");
      for (const pid of children) killNow(pid);
    } else child?.kill(signal);
    await ended;
    child = undefined;
  };

  const server: Server = {
    url,
    port,
    folder,
    sql: psql,
    start,
    kill: () => end("SIGKILL"),
    clients: () => backends().length,
    processes: () => [Number(status()[0]), ...childrenOf(status()[0]!)],
    killBackend: () => {
      const [pid] = backends();
      return pid !== undefined && killNow(pid);
    },
    async stop() {
      if (child !== undefined) await end("SIGQUIT");
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

/** False if the process has ended. */
function killNow(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve((address as { port: number }).port));
    });
  });
}
