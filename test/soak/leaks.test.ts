import { expect, test } from 'vitest'
import { LeakWatch, type Use } from './leaks.js'

const young: Use = { startedAt: 1_000, heapMiB: 17, handles: 6, timers: 9 }

test('timers that one process has more at each quiet point are told as a leak, those of its successor are not', () => {
  const watch = new LeakWatch()
  const told = [9, 11, 12, 13].map((timers) => watch.note('pbx-a', { ...young, timers }))
  expect(told).toEqual([[], [], [], ['pbx-a: timers grew from 9 to 13']])
  expect(watch.note('pbx-a', { ...young, startedAt: 2_000, timers: 13 })).toEqual([])
})

test('growth counts from the leanest quiet point, so that a burst at the first does not hide it', () => {
  const watch = new LeakWatch()
  const told = [20, 6, 9].map((handles) => watch.note('pbx-a', { ...young, handles }))
  expect(told.at(-1)).toEqual(['pbx-a: handles grew from 6 to 9'])
})

test('memory that goes on growing is told, what comes and goes is not', () => {
  const watch = new LeakWatch()
  const told = [17, 23, 18, 22, 26].map((heapMiB) => watch.note('pbx-a', { ...young, heapMiB }))
  expect(told).toEqual([[], [], [], [], ['pbx-a: heapMiB grew from 17 to 26']])
})
