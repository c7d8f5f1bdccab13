/** A TCP proxy that cuts, delays and stalls what passes. */

import { connect, createServer, type Socket } from "node:net";

/** What happens to bytes. */
export type ProxyMode =
  | "pass"
  /** Answers of the server come late. */
  | "delay"
  /** Answers of the server do not come. */
  | "stall"
  /** The next answer ends the connection, and does not come. */
  | "lose";

/** A running proxy. */
export interface Proxy {
  readonly port: number;
  mode: ProxyMode;
  /** The number of answers that were lost. */
  readonly lost: number;
  /** Ends every connection. */
  cut(): void;
  close(): Promise<void>;
}

/** Starts a proxy to a port of this machine. */
export async function startProxy(target: number, delayMs = 30): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const state = { mode: "pass" as ProxyMode, lost: 0 };
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    const end = (): void => {
      client.destroy();
      upstream.destroy();
      sockets.delete(client);
      sockets.delete(upstream);
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", end);
    }
    client.on("data", (bytes) => upstream.write(bytes));
    upstream.on("data", (bytes) => {
      switch (state.mode) {
        case "stall":
          return;
        case "delay":
          setTimeout(() => client.destroyed || client.write(bytes), delayMs);
          return;
        case "lose":
          state.lost++;
          state.mode = "pass";
          end();
          return;
        default:
          client.write(bytes);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const cut = (): void => {
    for (const socket of [...sockets]) socket.destroy();
    sockets.clear();
  };
  return {
    port,
    get mode() {
      return state.mode;
    },
    set mode(mode) {
      state.mode = mode;
    },
    get lost() {
      return state.lost;
    },
    cut,
    async close() {
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
