/**
 * Schemas with the Standard Schema interface, version 1 (standardschema.dev), which zod, valibot,
 * arktype and others support. This file declares the part that a sub needs.
 */

import type { ValidationIssue } from "../../errors.ts";

/** A schema of any library. */
export interface StandardSchema<In = unknown, Out = In> {
  /** What every library provides under this name. */
  readonly "~standard": {
    /** The version of the interface. */
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    /** Validates a value, and returns the value that results. */
    readonly validate: (
      value: unknown,
      // deno-lint-ignore no-explicit-any
      options?: any,
    ) => SchemaResult<Out> | PromiseLike<SchemaResult<Out>>;
    /** Types, for the compiler only. */
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}

/** The result of a validation: a value, or issues. */
export type SchemaResult<Out> =
  | { readonly value: Out; readonly issues?: undefined }
  | { readonly issues: readonly ValidationIssue[] };

/** Whether the value is a schema. Schemas of arktype are functions. */
export function isSchema(value: unknown): value is StandardSchema {
  if (value === null || typeof value !== "object" && typeof value !== "function") return false;
  const standard: unknown = (value as { "~standard"?: unknown })["~standard"];
  return typeof standard === "object" && standard !== null &&
    typeof (standard as { validate?: unknown }).validate === "function";
}

/** The issues in one line: `age: expected a number; name: too short`. */
export function issuesText(issues: readonly ValidationIssue[]): string {
  const shown = issues.slice(0, 5).map(({ message, path = [] }) => {
    const names = path.map((part) => String(typeof part === "object" ? part.key : part));
    return names.length === 0 ? message : `${names.join(".")}: ${message}`;
  });
  if (issues.length > shown.length) shown.push(`and ${issues.length - shown.length} more`);
  return shown.join("; ");
}
