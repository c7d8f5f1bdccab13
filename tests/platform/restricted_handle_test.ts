import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const script = fileURLToPath(new URL("restricted_handle_child.ts", import.meta.url));

test("A sync of RestrictedHandle makes every earlier byte durable, also during another sync", () => {
  const directory = temporaryDirectory("restricted");
  try {
    for (let seed = 1; seed <= 4; seed++) {
      const { command, args } = runtimeCommand("node", script, [String(seed), directory.path]);
      const { stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
      const repeat = `node tests/platform/restricted_handle_child.ts ${seed} /tmp`;
      assert.equal(stdout, "durable\n", `seed ${seed}; repeat: ${repeat}\n${stderr}`);
    }
  } finally {
    directory.dispose();
  }
});
