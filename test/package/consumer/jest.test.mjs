import { expect, test } from '@jest/globals'
import { expected, suspendAndResume } from './runner.mjs'

test('an upload is suspended and gone on with', async () => {
  expect(await suspendAndResume()).toEqual(expected)
}, 60_000)
