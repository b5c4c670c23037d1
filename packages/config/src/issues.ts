import type { ConfigIssue } from '@kvbm/core'
import { z } from 'zod'
import { type FieldRule, fieldRule } from './field-rules.js'
import { nearestField } from './nearest-field.js'

type ZodIssue = z.core.$ZodIssue

/** Outcome of a schema: the value, or every violation. */
export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] }

/** Runs a schema whose value stands at `at`, for example `['model']`, and words its complaints. */
export function check<T>(schema: z.ZodType<T>, input: unknown, at: readonly string[] = []): Checked<T> {
  const parsed = schema.safeParse(input, { reportInput: true })
  if (parsed.success) return { ok: true, value: parsed.data }
  return { ok: false, issues: parsed.error.issues.flatMap((issue) => worded(issue, at, schema)) }
}

/** What `look` finds, or one violation where the input itself throws: a getter, a proxy. */
export function readable<T>(look: () => Checked<T>): Checked<T> {
  try {
    return look()
  } catch (error) {
    const value = error instanceof Error ? error.message : 'something that is no Error'
    const remedy = 'Give plain data: a getter or a proxy of this configuration threw that.'
    return { ok: false, issues: [{ path: 'config', value, rule: 'data that can be read', remedy }] }
  }
}

/** Adds a violation that concerns several fields. For use in `superRefine(…, ALWAYS)`. */
export function report(context: z.RefinementCtx, path: readonly string[], value: unknown, rule: FieldRule): void {
  context.addIssue({
    code: 'custom',
    path: [...path],
    input: value,
    params: rule as unknown as Record<string, unknown>,
  })
}

/** Rules over several fields run although a single field failed; otherwise one mistake would hide another. */
export const ALWAYS = Object.freeze({ when: () => true })

/**
 * A field recognised by a guard. Its failure must not abort the schema, or `ALWAYS` would not hold: a schema that was
 * aborted outright, as by `z.int()` for 1.5, skips even such rules.
 */
export function guarded<T>(guard: (value: unknown) => boolean): z.ZodCustom<T, T> {
  return z.custom<T>(guard, { abort: false })
}

/** An integer within bounds, both included. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): z.ZodCustom<number, number> {
  return guarded<number>((value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max)
}

function worded(issue: ZodIssue, at: readonly string[], schema: z.ZodType): ConfigIssue[] {
  const path = [...at, ...issue.path.map(String)]
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, issue, path, schema))
  if (issue.code === 'invalid_union' && inside(issue).length > 0)
    return inside(issue).flatMap((inner) => worded(inner, at, schema))
  const own = ownRule(issue)
  const { rule, remedy } = own ?? fieldRule(path)
  const value = 'discriminator' in issue ? valueAt(issue.input, String(issue.discriminator)) : issue.input
  const required = value === undefined && own === undefined && path.length > 0 ? 'required: ' : ''
  return [{ path: path.join('.') || 'config', value, rule: required + rule, remedy }]
}

/** Complaints of the option of a union that knew what it looked at; none when no option did. */
function inside(union: z.core.$ZodIssueInvalidUnion): ZodIssue[] {
  const option = union.errors.find((issues) => issues.some((issue) => issue.path.length > 0)) ?? []
  return option.map((issue) => ({ ...issue, path: [...union.path, ...issue.path] }))
}

/** What a rule between fields said about itself. */
function ownRule(issue: ZodIssue): FieldRule | undefined {
  const { rule, remedy } = (issue.code === 'custom' && issue.params) || {}
  return typeof rule === 'string' && typeof remedy === 'string' ? { rule, remedy } : undefined
}

function unknownKey(key: string, issue: ZodIssue, path: readonly string[], schema: z.ZodType): ConfigIssue {
  const known = keysAt(schema, issue.path.map(String), issue.input)
  const near = nearestField(key, known)
  const remedy = near === undefined ? `Remove it; known names: ${known.join(', ')}.` : `Did you mean ${near}?`
  return { path: [...path, key].join('.'), value: valueAt(issue.input, key), rule: 'a known name', remedy }
}

function valueAt(input: unknown, key: string): unknown {
  return (input as Record<string, unknown> | undefined)?.[key]
}

/** Names that the object schema at `path` knows; for a union, those of the option that `input` chose. */
function keysAt(schema: unknown, path: readonly string[], input: unknown): readonly string[] {
  const inner = bare(schema)
  if (inner instanceof z.ZodDiscriminatedUnion) return keysAt(chosen(inner, input), path, input)
  if (inner instanceof z.ZodUnion)
    return inner.options.map((option) => keysAt(option, path, input)).find((keys) => keys.length > 0) ?? []
  if (!(inner instanceof z.ZodObject)) return []
  const [head, ...rest] = path
  return head === undefined ? Object.keys(inner.shape) : keysAt(inner.shape[head], rest, input)
}

function bare(schema: unknown): unknown {
  let inner = schema
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault) inner = inner.unwrap()
  return inner
}

function chosen(union: z.ZodDiscriminatedUnion, input: unknown): unknown {
  const name = union.def.discriminator
  const options = union.options as unknown as readonly z.ZodObject[]
  return options.find((option) => (option.shape[name] as z.ZodType).safeParse(valueAt(input, name)).success)
}
