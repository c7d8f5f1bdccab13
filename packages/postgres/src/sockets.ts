/**
 * The sockets of one object of postgres.js. The client connects again by itself, also after its
 * end, and its end leaves a socket open that the server does not close. So this package makes the
 * sockets: each host is tried once, there is no second connection, and each socket can be
 * destroyed.
 */

import { Socket } from "node:net";
import { timerMs } from "./driver.ts";

/** What postgres.js tells about the socket that it wants. */
export interface SocketOptions {
  readonly host: readonly string[];
  readonly port: readonly number[];
  /** Of a Unix socket, instead of the two. */
  readonly path?: string | false;
}

/** The option `socket` of postgres.js. */
export type MakeSocket = (options: SocketOptions) => unknown;

/** The sockets of one connection. */
export class Sockets {
  /** The user's way to make one: through a tunnel, for instance. */
  readonly #given: MakeSocket | undefined;
  readonly #made: { destroy?(): void }[] = [];
  readonly #failed = Promise.withResolvers<never>();
  /** The number of hosts that were tried. */
  #tried = 0;
  #failure: unknown;
  #isOver = false;
  /** The connection was lost, and the client wants another one. */
  onLost: (() => void) | undefined;

  constructor(given: MakeSocket | undefined) {
    this.#given = given;
    this.#failed.promise.catch(() => {});
  }

  /** Makes the next socket, for postgres.js. */
  readonly make: MakeSocket = async (options) => {
    if (this.#isOver) {
      this.onLost?.();
      throw new Error("the connection is closed");
    }
    const { length } = options.path ? [options.path] : options.host;
    while (this.#tried < length) {
      const at = this.#tried++;
      try {
        return await (this.#given === undefined
          ? this.#connect(options, at)
          : this.#keep(await this.#given(options) as Socket));
      } catch (error) {
        this.#failure = error;
      }
    }
    const failure = this.#failure ??
      new Error("the server has closed the connection before it has answered");
    // The client does not pass it on if it has several hosts.
    this.#failed.reject(failure);
    throw failure;
  };

  /** The first result of the connection. Afterwards no other connection is made. */
  async first<T>(result: PromiseLike<T>, limitMs: number): Promise<T> {
    const timer = setTimeout(() => {
      this.#failed.reject(
        new Error(`the connection was not made within ${limitMs} ms`),
      );
    }, timerMs(limitMs));
    try {
      return await Promise.race([result, this.#failed.promise]);
    } finally {
      clearTimeout(timer);
      this.#isOver = true;
    }
  }

  /** The client gets no other socket, and nobody is told that it wants one. */
  makeNoMore(): void {
    this.#isOver = true;
    this.onLost = undefined;
  }

  /** Closes everything at once. */
  destroy(): void {
    this.makeNoMore();
    for (const socket of this.#made) socket.destroy?.();
  }

  async #connect(
    { host, port, path }: SocketOptions,
    at: number,
  ): Promise<Socket> {
    const socket = new Socket();
    // The client listens when it has the socket, and TLS when the client has given it away.
    socket.on("error", () => {});
    const connected = new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
      socket.once(
        "close",
        () => reject(new Error("the connection was closed")),
      );
    });
    this.#keep(socket);
    if (path) socket.connect(path);
    else {
      // The client takes the name for TLS and for its errors from here.
      Object.assign(socket, { host: host[at], port: port[at] });
      socket.connect(port[at]!, host[at]!);
    }
    await connected;
    return socket;
  }

  /** An owner that was destroyed meanwhile gets nothing. */
  #keep(socket: Socket): Socket {
    this.#made.push(socket);
    if (this.#isOver) socket.destroy?.();
    return socket;
  }
}
