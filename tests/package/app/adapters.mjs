// Each adapter of the package, on disk, beside the library that it plugs into.
import { TinyKeyv, TinyKeyv5 } from "@tinykvs/core/keyv";
import { TinyLevel } from "@tinykvs/core/level";
import { tinykvsDriver } from "@tinykvs/core/unstorage";
import Keyv6 from "keyv";
import Keyv5 from "keyv5";
import { createStorage } from "unstorage";

const level = new TinyLevel("./stores/level");
await level.batch([{ type: "put", key: "b", value: "2" }, { type: "put", key: "a", value: "1" }]);
const keys = await level.keys().all();
await level.close();

const keyvs = [
  new Keyv6({ store: new TinyKeyv("./stores/keyv") }),
  new Keyv5({ store: new TinyKeyv5("./stores/keyv5") }),
];
const pages = [];
for (const keyv of keyvs) {
  await keyv.set("page", "html", 60_000);
  pages.push(await keyv.get("page"));
  await keyv.disconnect();
}

const storage = createStorage({ driver: tinykvsDriver({ path: "./stores/unstorage" }) });
await storage.setItem("user:alice", { age: 30 });
const { age } = await storage.getItem("user:alice");
await storage.dispose();

console.log(`level ${keys}, keyv ${pages}, unstorage ${age}`);
