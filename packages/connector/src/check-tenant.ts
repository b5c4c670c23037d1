/** Throws `TypeError` for what would isolate nothing. The value stays out of the message: a tenant may be a secret. */
export function checkTenant(tenant: string | undefined): void {
  if (tenant === undefined || typeof tenant === 'string') return
  throw new TypeError(
    `tenant: expected a string, got ${tenant === null ? 'null' : typeof tenant}. Give its name as text`,
  )
}
