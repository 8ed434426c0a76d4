import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

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

/** The histograms: a value is never looked for elsewhere than in its buckets, so they are chosen here, once. */
const histograms: Readonly<Record<string, { help: string; buckets: readonly number[] }>> = {
  injection_delay_seconds: {
    help: "from a change at its origin to the own Asterisk's answer, where the clocks agree",
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
  batch_entries: {
    help: 'changes in a batch of a feed; heartbeats are left out',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
  },
}

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
  readonly #histograms = new Map<string, Histogram>()
  readonly #snapshot: () => readonly GaugeSample[]
  readonly #help: Readonly<Record<string, string>>

  constructor({ snapshot, help = {} }: MetricsOptions) {
    this.#snapshot = snapshot
    this.#help = help
    // By default it would wake this process a hundred times a second.
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 1_000 })
  }

  /** Adds to `hintbridge_<name>_total`. A counter keeps the label names of its first use; others are left out. */
  count(name: string, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    const known = this.#counters.get(name) ?? this.#addCounter(name, Object.keys(labels))
    const fitting = Object.entries(labels).filter(([label]) => known.labels.has(label))
    known.counter.inc(Object.fromEntries(fitting), by)
  }

  /** Adds a value to `hintbridge_<name>`, a histogram of `histograms`; throws where it is none. */
  measure(name: string, value: number, labels: Readonly<Record<string, string>> = {}): void {
    const known = this.#histograms.get(name) ?? this.#addHistogram(name, Object.keys(labels))
    known.observe(labels, value)
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

  #addHistogram(name: string, labelNames: string[]): Histogram {
    const described = histograms[name]
    if (!described) throw new RangeError(`there is no histogram '${name}'`)
    const { help, buckets } = described
    const registers = [this.#registry]
    const histogram = new Histogram({
      name: metricName(name),
      help,
      buckets: [...buckets],
      labelNames,
      registers,
    })
    this.#histograms.set(name, histogram)
    return histogram
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
