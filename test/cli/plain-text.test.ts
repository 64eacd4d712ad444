import t from 'tap'
import { plainText } from '../../lib/cli/plain-text.js'

await t.test('control characters are shown, not sent', async (t) => {
  const rows: [string, string][] = [
    ['db.dump', 'db.dump'],
    ['数据库 🙂', '数据库 🙂'],
    ['a\u001b[2Jb', 'a\\x1b[2Jb'],
    ['a\r\nb\tc\u0000', 'a\\x0d\\x0ab\\x09c\\x00'],
    ['\u009b31m\u007f', '\\x9b31m\\x7f'],
    ['\u2028', '\\u2028'],
    ['gpj.\u202eexe', 'gpj.\\u202eexe'],
    ['\u2066a\u2069', '\\u2066a\\u2069'],
    ['שלום', 'שלום'],
  ]
  for (const [text, shown] of rows) t.equal(plainText(text), shown)
})
