/** Port: a remote transfer agent. @experimental Grows with the nixl package. */
export interface TransferAgent {
  readonly name: string
  close(): Promise<void>
}
