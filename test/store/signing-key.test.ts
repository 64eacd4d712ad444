import t from 'tap'
import { signingKey } from '../../lib/store/signing-key.js'

// Both are proved against the SDKs' vectors; this is about when one is kept.
await t.test('a key is made once for a day and a place', (t) => {
  const steps = (date: string, region = 'r') => [date, region, 's3', 'end']
  const first = { id: 'i', secret: 'one' }
  const monday = signingKey(first, 'AWS4', steps('20260105'))
  t.equal(signingKey(first, 'AWS4', steps('20260105')), monday)
  const tuesday = signingKey(first, 'AWS4', steps('20260106'))
  t.notSame(tuesday, monday)
  t.same(signingKey(first, 'AWS4', steps('20260105')), monday)
  t.notSame(signingKey(first, 'AWS4', steps('20260105', 'other')), monday)
  t.notSame(signingKey(first, 'aliyun_v4', steps('20260105')), monday)
  const renewed = { id: 'i', secret: 'two' }
  t.notSame(signingKey(renewed, 'AWS4', steps('20260105')), monday)
  t.end()
})
