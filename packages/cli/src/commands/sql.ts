/** `sql`: statements of SQL over the table kv(k, v). */

import { type Command, command } from "../command.ts";
import { execute } from "../sql/execute.ts";
import { splitStatements } from "../sql/sql_text.ts";
import { parseSql } from "../sql/statement.ts";

export const sqlCommand: Command = command({
  name: "sql",
  summary: "Runs SQL over the table kv(k, v): SELECT, INSERT, UPDATE, DELETE, EXPLAIN.",
  usage: "STATEMENT",
  arity: [1, 1],
  options: {},
  details: `A subset: one table, no joins, no groups. Each statement is one atomic batch.
Columns are k, v and fields of records (v.name, v.address.city). WHERE knows =, !=, <, <=, >, >=,
LIKE 'p%', STARTS WITH, BETWEEN, IN, IS NULL, AND, OR, NOT. Aggregates are count, sum, avg, min, max.
Conditions on k read only the keys that they allow; others look at every entry.`,
  examples: [
    [
      `./db sql "SELECT v.name, v.age FROM kv WHERE k LIKE 'user:%' LIMIT 5"`,
      "fields of records",
    ],
    [
      `./db sql "SELECT count(), avg(v.age) FROM kv WHERE v.age > 30"`,
      "sums up",
    ],
    [
      `./db sql "INSERT INTO kv VALUES ('a', 1), ('b', '{\\"x\\": 2}')"`,
      "a number and a record",
    ],
    [
      `./db sql "DELETE FROM kv WHERE k BETWEEN 'a' AND 'c'" --dry-run`,
      "how many would go?",
    ],
    [`./db sql "EXPLAIN SELECT * FROM kv WHERE k = 'a'"`, "what does it read?"],
  ],
  async run(context, { args }) {
    // All are read before the first is done: a mistake in the second leaves nothing half done.
    const plans = [];
    for (const { text } of splitStatements(args[0]!)) {
      plans.push(await parseSql(text));
    }
    for (const plan of plans) await execute(context, plan);
  },
});
