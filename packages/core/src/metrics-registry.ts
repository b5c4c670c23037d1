/** Port, structural: the caller's prom-client `Registry`. */
export interface MetricsRegistry {
  metrics(): Promise<string>
  getSingleMetric(name: string): unknown
  registerMetric(metric: never): void
}
