/**
 * A key-value service over HTTP, on the server of each runtime: GET, PUT and DELETE of /key, and a
 * list at /?prefix=. It asks itself a few questions and stops; with "serve" as second argument it
 * goes on.
 *
 *     node examples/http_service.ts ./service serve
 *
 * Prints:
 *
 *     PUT /color 204
 *     GET /color 200 blue
 *     GET /?prefix=c 200 ["color"]
 *     DELETE /color 204
 *     GET /color 404
 */

import process from "node:process";
import { open } from "@tinykvs/core";

const store = await open(process.argv[2] ?? "./service");

async function answer(request: Request): Promise<Response> {
  const url = new URL(request.url);
  const key = decodeURIComponent(url.pathname.slice(1));
  if (key === "") {
    const prefix = url.searchParams.get("prefix") ?? "";
    const keys: unknown[] = [];
    for await (const found of store.keys({ prefix, limit: 1_000, signal: request.signal })) {
      keys.push(found);
    }
    return Response.json(keys);
  }
  switch (request.method) {
    case "PUT":
      await store.putBytes(key, new Uint8Array(await request.arrayBuffer()));
      return new Response(null, { status: 204 });
    case "DELETE":
      await store.delete(key);
      return new Response(null, { status: 204 });
    default: {
      const value = await store.getBytes(key);
      return value === undefined
        ? new Response("not found", { status: 404 })
        : new Response(new Uint8Array(value));
    }
  }
}

/** Starts the runtime's own server on a free port; resolves to the address and a way to stop. */
async function serve(): Promise<{ address: string; stop: () => Promise<unknown> }> {
  const { Bun, Deno } = globalThis as unknown as {
    Bun?: { serve(options: object): { port: number; stop(): Promise<void> } };
    Deno?: {
      serve(options: object): { addr: { port: number }; shutdown(): Promise<void> };
    };
  };
  if (Bun !== undefined) {
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
    return { address: `http://127.0.0.1:${server.port}`, stop: () => server.stop() };
  }
  if (Deno !== undefined) {
    const options = { port: 0, hostname: "127.0.0.1", handler: answer, onListen: () => {} };
    const server = Deno.serve(options);
    return { address: `http://127.0.0.1:${server.addr.port}`, stop: () => server.shutdown() };
  }
  const { createServer } = await import("node:http");
  const { Readable } = await import("node:stream");
  const server = createServer(async (incoming, outgoing) => {
    const hasBody = incoming.method === "PUT" || incoming.method === "POST";
    const response = await answer(
      new Request(`http://127.0.0.1${incoming.url}`, {
        method: incoming.method!,
        ...(hasBody ? { body: Readable.toWeb(incoming) as ReadableStream, duplex: "half" } : {}),
      } as RequestInit),
    );
    outgoing.writeHead(response.status);
    outgoing.end(new Uint8Array(await response.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { address: `http://127.0.0.1:${port}`, stop };
}

const { address, stop } = await serve();
if (process.argv[3] === "serve") console.log(`listening on ${address}`);
else {
  const ask = async (method: string, path: string, body?: string) => {
    const response = await fetch(
      address + path,
      body === undefined ? { method } : { method, body },
    );
    const text = response.ok ? await response.text() : (await response.body?.cancel(), "");
    console.log(`${method} ${path} ${response.status} ${text}`.trimEnd());
  };
  await ask("PUT", "/color", "blue");
  await ask("GET", "/color");
  await ask("GET", "/?prefix=c");
  await ask("DELETE", "/color");
  await ask("GET", "/color");
  await stop();
  await store.close();
}
