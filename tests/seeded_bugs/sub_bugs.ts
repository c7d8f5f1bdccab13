/** Bugs in subs: prefixes that collide, ranges that leave their sub, tuples in a wrong order. */

import type { Bug } from "./bug.ts";
import { directed, modelThroughSub } from "./commands.ts";

const CONTRACT = "tests/contracts/store_contract_test.ts";
const noKeyElsewhere = directed(
  CONTRACT,
  /^A store over an array: No key of a sub is seen in another/,
);

/** The bugs. */
export const subBugs: readonly Bug[] = [
  {
    name: "sub-prefix-without-end",
    item: "beyond the list",
    does: 'ends the prefix of a sub with its name, so that "a" has the keys of "ab"',
    edits: [{
      file: "src/contract/sub/sub_path.ts",
      find: 'const END = "\\0\\x01";\n',
      replace: 'const END = "";\n',
    }],
    caughtBy: noKeyElsewhere,
    symptom: /the (number of keys|content) of a/,
  },
  {
    name: "sub-names-not-escaped",
    item: "beyond the list",
    does: "takes zeros in the name of a sub as they are, so that a name can be the path of another",
    edits: [{
      file: "src/contract/sub/sub_path.ts",
      find: 'names.map((name) => name.split("\\0").join(ZERO))',
      replace: "names",
    }],
    caughtBy: noKeyElsewhere,
    symptom: /the (number of keys|content) of a/,
  },
  {
    name: "sub-ends-as-a-name-does",
    item: "beyond the list",
    does: "puts the subs of a sub among its keys",
    edits: [{
      file: "src/contract/sub/sub_path.ts",
      find: 'const NEXT_NAME = "\\0\\x02";\n',
      replace: 'const NEXT_NAME = "\\0\\x01";\n',
    }],
    caughtBy: directed(
      CONTRACT,
      /^A store over an array: A sub of a sub is beside its keys, and the same/,
    ),
    symptom: /the result is \[\[/,
  },
  {
    name: "sub-range-without-prefix",
    item: "beyond the list",
    does: "lets the range of a sub go on where the sub ends",
    edits: [{
      file: "src/contract/sub/keyspace.ts",
      find: "prefix === undefined ? this.#whole() : this.key(prefix as K)",
      replace:
        'prefix === undefined ? (gte === undefined ? this.#whole() : "") : this.key(prefix as K)',
    }],
    caughtBy: modelThroughSub,
    symptom: /history \d+ of seed \d+ fails/,
  },
  {
    name: "sub-seek-by-the-store",
    item: "beyond the list",
    does: "seeks the cursor of a sub by keys of the store",
    edits: [{
      file: "src/store/sub/embedded_sub_cursor.ts",
      find: "    this.#cursor.seek(this.#source.key(key));\n",
      replace: "    this.#cursor.seek(key as never);\n",
    }],
    caughtBy: modelThroughSub,
    symptom: /history \d+ of seed \d+ fails/,
  },
  {
    name: "tuple-prefix-of-text",
    item: "beyond the list",
    does: "gives the prefix of a tuple those whose last text only begins like it",
    edits: [{
      file: "src/contract/sub/keyspace.ts",
      find:
        "      if (lt === undefined || compareKeys(end, lt as Uint8Array) < 0) range.lt = end;\n",
      replace:
        "      if (lt !== undefined && compareKeys(end, lt as Uint8Array) < 0) range.lt = end;\n",
    }],
    caughtBy: directed(
      CONTRACT,
      /^A store over an array: Keys that are tuples come in their order/,
    ),
    symptom: /the result is \[\["a"\], \["a", "b"\]/,
  },
  {
    name: "tuple-negative-numbers",
    item: "beyond the list",
    does: "sorts negative numbers of a tuple backwards",
    edits: [{
      file: "src/contract/sub/tuple.ts",
      find: "bytes.push(scratch.getUint8(i) ^ (isNegative ? 0xff : 0));\n",
      replace: "bytes.push(scratch.getUint8(i));\n",
    }],
    caughtBy: directed(
      "tests/contracts/tuple_test.ts",
      /^The order of bytes is the order of tuples/,
    ),
    symptom: /seed 17002/,
  },
];
