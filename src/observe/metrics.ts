import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'

/** One value of a gauge at the moment of asking. */
export interface GaugeSample {
  /** Without the `hintbridge_` prefix. */
  readonly name: string
  readonly help: string
  readonly value: number
  readonly labels?: Readonly<Record<string, string>>
}

export interface MetricsOptions {
  /** What stands now; called once a scrape. */
  readonly snapshot: () => readonly GaugeSample[]
  /** Texts for the counters that have one. */
  readonly help?: Readonly<Record<string, string>>
}

const prefix = 'hintbridge_'

/** Names as Prometheus' data model takes them: letters, digits and underscores. */
function metricName(name: string): string {
  return prefix + name.replace(/[^a-zA-Z0-9_]/g, '_')
}

/**
 * The Prometheus registry: a counter comes to be when it is first counted, gauges are asked for at each scrape. Names
 * follow https://prometheus.io/docs/practices/naming/ .
 */
export class Metrics {
  readonly #registry = new Registry()
  readonly #counters = new Map<string, { counter: Counter; labels: ReadonlySet<string> }>()
  readonly #gauges = new Map<string, Gauge>()
  readonly #snapshot: () => readonly GaugeSample[]
  readonly #help: Readonly<Record<string, string>>

  constructor({ snapshot, help = {} }: MetricsOptions) {
    this.#snapshot = snapshot
    this.#help = help
    collectDefaultMetrics({ register: this.#registry })
  }

  /** Adds to `hintbridge_<name>_total`. A counter keeps the label names of its first use; others are left out. */
  count(name: string, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    const known = this.#counters.get(name) ?? this.#addCounter(name, Object.keys(labels))
    const fitting = Object.entries(labels).filter(([label]) => known.labels.has(label))
    known.counter.inc(Object.fromEntries(fitting), by)
  }

  /** The exposition text, with its content type. */
  async expose(): Promise<{ readonly contentType: string; readonly text: string }> {
    for (const gauge of this.#gauges.values()) gauge.reset()
    for (const sample of this.#snapshot()) {
      const labels = sample.labels ?? {}
      const gauge = this.#gauges.get(sample.name) ?? this.#addGauge(sample, Object.keys(labels))
      gauge.set(labels, sample.value)
    }
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() }
  }

  #addCounter(name: string, labelNames: string[]) {
    const counter = new Counter({
      name: `${metricName(name)}_total`,
      help: this.#help[name] ?? name.replaceAll('_', ' '),
      labelNames,
      registers: [this.#registry],
    })
    const known = { counter, labels: new Set(labelNames) }
    this.#counters.set(name, known)
    return known
  }

  #addGauge({ name, help }: GaugeSample, labelNames: string[]): Gauge {
    const gauge = new Gauge({
      name: metricName(name),
      help,
      labelNames,
      registers: [this.#registry],
    })
    this.#gauges.set(name, gauge)
    return gauge
  }
}
