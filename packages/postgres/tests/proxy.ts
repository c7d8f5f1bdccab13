/** A TCP proxy that cuts, delays and stalls what passes. */

import { connect, createServer, type Socket } from "node:net";

/** What happens to bytes. */
export type ProxyMode =
  | "pass"
  /** Answers of the server come late. */
  | "delay"
  /** Answers of the server do not come. */
  | "stall"
  /** Nothing passes, not even the end of a connection. */
  | "silent"
  /** The next answer ends the connection, and does not come. */
  | "lose";

/** A running proxy. */
export interface Proxy {
  readonly port: number;
  mode: ProxyMode;
  /** The number of answers that were lost. */
  readonly lost: number;
  /** The number of connections that were accepted. */
  readonly accepted: number;
  /** Ends every connection. */
  cut(): void;
  /** Ends every connection, and refuses new ones. */
  refuse(): Promise<void>;
  /** Accepts connections again, on the same port. */
  accept(): Promise<void>;
  /**
   * Whether the clients have closed all their sockets, and not only said that they send no more:
   * then their machine does not take what is sent to them.
   */
  areClientsGone(): Promise<boolean>;
  close(): Promise<void>;
}

/** Starts a proxy to a port of this machine. */
export async function startProxy(target: number, delayMs = 30): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  const state = { mode: "pass" as ProxyMode, lost: 0, accepted: 0 };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    state.accepted++;
    clients.add(client);
    const upstream = connect(target, "127.0.0.1");
    const end = (): void => {
      client.destroy();
      upstream.destroy();
      clients.delete(client);
      sockets.delete(client);
      sockets.delete(upstream);
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", end);
    }
    client.on(
      "data",
      (bytes) => state.mode === "silent" || upstream.write(bytes),
    );
    client.on("end", () => state.mode === "silent" || end());
    upstream.on("data", (bytes) => {
      switch (state.mode) {
        case "silent":
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
  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
  await listen(0);
  const { port } = server.address() as { port: number };
  const cut = (): void => {
    for (const socket of [...sockets]) socket.destroy();
    sockets.clear();
    clients.clear();
  };
  const refuse = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    cut();
    await closed;
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
    get accepted() {
      return state.accepted;
    },
    cut,
    refuse,
    accept: () => listen(port),
    async areClientsGone() {
      for (let i = 0; clients.size > 0 && i < 100; i++) {
        for (const client of clients) client.write("\0");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return clients.size === 0;
    },
    close: refuse,
  };
}
