// A store's directory that is given by a link: a directory that can't be inspected is not a missing
// directory.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { IoError, type Options } from "../../mod.ts";
import { defaultFileSystem } from "../../src/platform/default_file_system.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { openSync } from "../../src/store/open.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const ways: readonly Options[] = [{}, { createIfMissing: false }, { readOnly: true }];

test("A link whose directory can't be listed is an error that says why, and not a missing directory", () => {
  const directory = temporaryDirectory("linked");
  const link = path.join(directory.path, "link");
  fs.mkdirSync(path.join(directory.path, "store"));
  fs.symlinkSync(path.join(directory.path, "store"), link);
  const fileSystem: FileSystem = Object.create(defaultFileSystem());
  // The user of the tests may have all permissions.
  fileSystem.listSync = (at) => {
    throw new IoError("list", at, "permission denied", "EACCES");
  };
  for (const options of ways) {
    assert.throws(() => openSync(link, { ...options, fileSystem }), {
      code: "IO",
      osCode: "EACCES",
    });
  }
  directory.dispose();
});

test("A link to nothing, to a file, to a link or to itself is not a store's directory", () => {
  const directory = temporaryDirectory("linked");
  const at = (name: string): string => path.join(directory.path, name);
  fs.writeFileSync(at("file"), "text");
  fs.symlinkSync(at("missing"), at("to nothing"));
  fs.symlinkSync(at("file"), at("to a file"));
  fs.symlinkSync(at("to a file"), at("to a link"));
  fs.symlinkSync(at("to itself"), at("to itself"));
  for (const name of ["to nothing", "to a file", "to a link", "to itself"]) {
    for (const options of ways) {
      assert.throws(
        () => openSync(at(name), options),
        (error) => error instanceof Error && "code" in error && error.code === "NOT_A_STORE",
        name,
      );
    }
  }
  directory.dispose();
});
