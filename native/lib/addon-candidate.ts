/** One place where a native core may be. */
export interface AddonCandidate {
  readonly where: string
  load(): unknown
}
