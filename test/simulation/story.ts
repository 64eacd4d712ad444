/** A schedule told in plain words, one step a line. */
import type { RunPlan } from './plan.js'
import type { Played } from './scene.js'

export function storyOf(played: Played): string {
  const { plan, trace, violation } = played
  const lines = [
    violation === undefined
      ? 'Every invariant holds.'
      : `“${violation.invariant}” does not hold: ${violation.text}.`,
    '',
    `The store is ${plan.profile}${list(plan.knobs, ', with ')}${list(plan.denied, '; denied to us: ')}.`,
    ...(plan.lease === undefined
      ? []
      : [
          `All machines have one log, with a lease of ${plan.lease.lease} ms${plan.lease.canLose ? ', and a failover may lose its end' : ''}.`,
        ]),
    ...plan.runs.map((run, index) => `Run ${index + 1}: ${callOf(run)}.`),
    '',
    ...trace
      .filter(
        ({ text }) =>
          !/^(datasync|syncDirectory|open) \S+ on machine A$/.test(text),
      )
      .map(({ at, who, text }) => {
        const time = `${timeOf(at)} `.padStart(12)
        return who === '!' ? `${time}*** ${text} ***` : `${time}${who}: ${text}`
      }),
  ]
  return lines.join('\n')
}

function callOf(run: RunPlan): string {
  const { style, source, partSize, concurrency, object } = run
  const said = [
    `${style} of ${source.size} bytes (source ${source.noise}), parts of ${partSize}, ${concurrency} at once`,
    ...(source.flips.length > 0
      ? [`bytes changed at ${source.flips.join()}`]
      : []),
    ...(object.contentType + object.metadata + object.acl > 0
      ? [`options ${object.contentType}/${object.metadata}/${object.acl}`]
      : []),
    ...(object.forbidOverwrite ? ['forbidOverwrite'] : []),
    ...(object.callback ? ['with a callback'] : []),
    ...(run.marks ? [] : ['mark: false']),
    ...(run.isSequential ? ['sequential'] : []),
    ...(run.discards ? ['discarded at once'] : []),
    ...(run.vetoes ? ['beforeComplete throws'] : []),
    ...(run.log ? [] : ['checkpoint: false']),
    ...(run.empties === true ? ['a told log counts as long'] : []),
    ...(run.verify === undefined ? [] : [`verify: ${run.verify}`]),
    ...(run.proof === 'sha256' ? ['proof: sha256'] : []),
    ...(run.skips ? ['skipUploaded()'] : []),
    ...(run.tellsSize ? ['size told'] : []),
    ...(run.sameProcess ? ['in the same process'] : []),
  ]
  return said.join(', ')
}

function list(items: readonly string[], before: string): string {
  return items.length === 0 ? '' : before + items.join(' and ')
}

function timeOf(ms: number): string {
  return ms < 100_000 ? `${ms} ms` : `${Math.round(ms / 1000)} s`
}
