/** Where a builder keeps what was set. A registered symbol, so that two copies of this package understand each other. */
export const DRAFT: unique symbol = Symbol.for('kvbm.config.draft')

/** Exists only in types: the required fields that a builder has not been given yet. */
export declare const MISSING: unique symbol

/** The fields that were set, by name. */
export type Draft = Readonly<Record<string, unknown>>

/** Any builder of `Part` that has all required fields, as its parent accepts it. */
export interface Unbuilt<Part extends string> {
  readonly [DRAFT]: Draft & { readonly part?: Part }
  readonly [MISSING]?: never
}

/** What `build()` wants as `this`: the builder, or a type that names what is missing. */
export type Complete<Builder, Missing> = [Missing] extends [never]
  ? Builder
  : { readonly 'required fields are missing': Missing }

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The draft of a builder; anything else as it is. */
export function unbuilt(value: unknown): unknown {
  return isRecord(value) && DRAFT in value ? value[DRAFT] : value
}

/** A copy without the fields that are undefined, frozen. */
export function frozen<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.freeze(Object.fromEntries(kept)) as T
}
