/**
 * Guards the package itself: one version, the runtime dependencies, no install scripts beyond our
 * own `prepare`, and tool versions pinned by the lock file. `npm run test:package` tries the
 * package that npm serves.
 */

import assert from "node:assert/strict";
import * as path from "node:path";
import { test } from "node:test";
import * as library from "../../mod.ts";
import { importsOf, readSource } from "./source_text.ts";

interface PackageJson {
  name: string;
  version: string;
  exports: unknown;
  license: string;
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
  devDependencies: Record<string, string>;
}

interface DenoJson extends PackageJson {
  publish: { include: string[]; exclude: string[] };
}

interface LockFile {
  version: string;
  packages: Record<
    string,
    {
      version?: string;
      integrity?: string;
      dev?: boolean;
      hasInstallScript?: boolean;
      link?: boolean;
    }
  >;
}

const packageJson = JSON.parse(readSource("package.json")) as PackageJson;
const denoJson = JSON.parse(readSource("deno.json")) as DenoJson;
const lockFile = JSON.parse(readSource("package-lock.json")) as LockFile;

test("package.json, deno.json and the lock file state the same name, version and entry", () => {
  for (const field of ["name", "version", "license", "exports"] as const) {
    assert.deepEqual(denoJson[field], packageJson[field], field);
  }
  assert.equal(lockFile.version, packageJson.version);
});

test("The runtime dependencies are exactly those that were decided on", () => {
  assert.deepEqual(Object.keys(packageJson.dependencies), ["snappyjs"]);
});

test("What adapters are for is an optional peer, tried in the oldest version of each range", () => {
  const { peerDependencies } = packageJson;
  assert.deepEqual(Object.keys(peerDependencies), ["abstract-level", "keyv", "unstorage"]);
  for (const name of Object.keys(peerDependencies)) {
    assert.deepEqual(packageJson.peerDependenciesMeta[name], { optional: true }, name);
  }
  const tried = JSON.parse(readSource("tests/adapters/package.json")).dependencies;
  for (const name of Object.keys(peerDependencies)) {
    assert.equal(peerDependencies[name]!.split(" ")[0], `^${tried[name]}`, name);
  }
  assert.equal(packageJson.devDependencies["abstract-level"], tried["abstract-level"]);
});

test("No script of the package runs at installation but prepare", () => {
  const atInstallation = [
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
    "dependencies",
  ];
  const found = Object.keys(packageJson.scripts).filter((name) => atInstallation.includes(name));
  assert.deepEqual(found, ["prepare"]);
});

test("No runtime dependency runs a script at installation or brings further packages", () => {
  const installed = Object.entries(lockFile.packages).filter(([path, entry]) =>
    path !== "" && entry.dev !== true
  );
  assert.deepEqual(
    installed.map(([path]) => path.replace("node_modules/", "")).sort(),
    Object.keys(packageJson.dependencies).sort(),
  );
  for (const [path, entry] of installed) assert.notEqual(entry.hasInstallScript, true, path);
});

test("Every dependency is pinned to one exact version, and the lock file agrees", () => {
  const pinned = { ...packageJson.dependencies, ...packageJson.devDependencies };
  for (const name of ["deno", "bun", "node"]) assert.ok(name in pinned, `"${name}" is not pinned`);
  for (const [name, version] of Object.entries(pinned)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, `"${name}" is not an exact version`);
    assert.equal(lockFile.packages[`node_modules/${name}`]?.version, version, name);
  }
});

test("The lock file holds a checksum for every package", () => {
  const without = Object.entries(lockFile.packages)
    .filter(([path, entry]) => path !== "" && entry.integrity === undefined)
    .map(([path]) => path);
  assert.deepEqual(without, []);
});

test("The package has these entry points, and none of them reaches a part of the tests", () => {
  const entries = {
    ".": "mod",
    "./contract": "contract",
    "./contract-suite": "contract_suite",
    "./level": "level",
    "./keyv": "keyv",
    "./unstorage": "unstorage",
  };
  assert.deepEqual(
    denoJson.exports,
    Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, `./${file}.ts`])),
  );
  const dependencies = [
    ...Object.keys(packageJson.dependencies),
    ...Object.keys(packageJson.peerDependencies),
  ];
  const reached = new Set<string>();
  const waiting = Object.values(entries).map((name) => `${name}.ts`);
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    for (const { specifier } of importsOf(readSource(file))) {
      assert.notEqual(specifier, undefined, `"${file}" imports what is computed`);
      if (specifier!.startsWith("node:")) continue;
      if (!specifier!.startsWith(".")) {
        const known = dependencies.some((name) =>
          specifier === name || specifier!.startsWith(`${name}/`)
        );
        assert.ok(known, `"${file}" imports "${specifier}"`);
        continue;
      }
      waiting.push(path.posix.join(path.posix.dirname(file), specifier!));
    }
  }
  assert.ok(reached.size > 60, `only ${reached.size} modules were reached`);
  const strange = [...reached].filter((file) =>
    !/^(?:(?:mod|contract|contract_suite|level|keyv|unstorage)\.ts$|src\/|wasm\/generated\/)/.test(
      file,
    )
  );
  assert.deepEqual(strange, []);
});

test("The list of published files names no folder of tests, scripts or tools", () => {
  const { include } = denoJson.publish;
  assert.ok(include.includes("mod.ts") && include.includes("src/**/*.ts"));
  for (const pattern of include) {
    assert.match(
      pattern,
      /^(?:[A-Za-z_]+\.(?:ts|md|json)|LICENSE|(?:src|docs|wasm\/generated)\/\*\*\/\*\.(?:ts|md))$/,
    );
  }
});

test("The checkout refuses to be published: npm gets what build:npm makes", () => {
  assert.match(packageJson.scripts["prepublishOnly"]!, /refuse_publish/);
});

test("The release workflow pins its actions by hash and has no secret", () => {
  const workflow = readSource(".github/workflows/release.yml");
  const actions = [...workflow.matchAll(/uses: (\S+)/g)].map((match) => match[1]!);
  assert.ok(actions.length > 0);
  for (const action of actions) assert.match(action, /@[0-9a-f]{40}$/);
  assert.doesNotMatch(workflow, /secrets\.|_TOKEN/);
  assert.match(workflow, /id-token: write/);
});

test("Nothing that only tests need is exported: no scheduler, no switch of a fault", () => {
  const names = Object.keys(library);
  assert.ok(names.includes("open"));
  const seams = names.filter((name) =>
    /scheduler|(?<!de)fault|inject|seeded|bug|internal|test/i.test(name)
  );
  assert.deepEqual(seams, []);
});
