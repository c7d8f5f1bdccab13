/**
 * Schemas by the Standard Schema interface, version 1 (standardschema.dev), which zod, valibot,
 * arktype and others have: as much of it as a sub needs.
 */

import type { ValidationIssue } from "../../errors.ts";

/** A schema of any library. */
export interface StandardSchema<In = unknown, Out = In> {
  /** What all libraries have under this name. */
  readonly "~standard": {
    /** Version of the interface. */
    readonly version: 1;
    /** Name of the library. */
    readonly vendor: string;
    /** Whether a value is valid, and what becomes of it. */
    readonly validate: (
      value: unknown,
      // deno-lint-ignore no-explicit-any
      options?: any,
    ) => SchemaResult<Out> | PromiseLike<SchemaResult<Out>>;
    /** For the compiler only. */
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}

/** What a validation comes to: a value, or issues. */
export type SchemaResult<Out> =
  | { readonly value: Out; readonly issues?: undefined }
  | { readonly issues: readonly ValidationIssue[] };

/** Whether this is a schema; those of arktype are functions. */
export function isSchema(value: unknown): value is StandardSchema {
  if (value === null || typeof value !== "object" && typeof value !== "function") return false;
  const standard: unknown = (value as { "~standard"?: unknown })["~standard"];
  return typeof standard === "object" && standard !== null &&
    typeof (standard as { validate?: unknown }).validate === "function";
}

/** Issues in one line: `age: expected a number; name: too short`. */
export function issuesText(issues: readonly ValidationIssue[]): string {
  const shown = issues.slice(0, 5).map(({ message, path = [] }) => {
    const names = path.map((part) => String(typeof part === "object" ? part.key : part));
    return names.length === 0 ? message : `${names.join(".")}: ${message}`;
  });
  if (issues.length > shown.length) shown.push(`and ${issues.length - shown.length} more`);
  return shown.join("; ");
}
