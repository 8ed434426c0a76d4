import { expect, test } from 'vitest'
import { LeakWatch, type Use } from './leaks.js'

const young: Use = { startedAt: 1_000, residentMiB: 90, handles: 6, timers: 9 }
const at = (ageS: number): number => (young.startedAt + ageS) * 1_000

test('timers that one process has more at each quiet point are told as a leak, those of its successor are not', () => {
  const watch = new LeakWatch()
  const told = [9, 11, 12, 13].map((timers) => watch.note('pbx-a', { ...young, timers }, at(10)))
  expect(told).toEqual([[], [], [], ['pbx-a: timers grew from 9 to 13']])
  expect(watch.note('pbx-a', { ...young, startedAt: 2_000, timers: 13 }, at(20))).toEqual([])
})

test('growth counts from the leanest quiet point, so that a burst at the first does not hide it', () => {
  const watch = new LeakWatch()
  const told = [20, 6, 9].map((handles) => watch.note('pbx-a', { ...young, handles }, at(10)))
  expect(told.at(-1)).toEqual(['pbx-a: handles grew from 6 to 9'])
})

test('memory counts once the process is warm', () => {
  const watch = new LeakWatch()
  const noteAt = (residentMiB: number, ageS: number): readonly string[] =>
    watch.note('pbx-a', { ...young, residentMiB }, at(ageS))
  expect([noteAt(60, 1), noteAt(110, 100), noteAt(140, 200)]).toEqual([[], [], []])
  expect(noteAt(150, 300)).toEqual(['pbx-a: residentMiB grew from 110 to 150'])
})
