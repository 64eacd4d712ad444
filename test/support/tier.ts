/**
 * How much is tested. `test/run.js` says it in `PAWL_TIER`; a test file that is run
 * by itself is in the first tier. CONTRIBUTING.md has what belongs where.
 */
export const tiers = ['fast', 'more', 'long'] as const
export type Tier = (typeof tiers)[number]

export const tier: Tier = tierIn(process.env)

/** What a test that is in every tier does in this one. */
export function sized<T>(sizes: Readonly<Record<Tier, T>>): T {
  return sizes[tier]
}

/** Throws when it is none of them: a tier that is misspelt would test less. */
export function tierIn(environment: NodeJS.ProcessEnv): Tier {
  const given = environment['PAWL_TIER'] ?? 'fast'
  const found = tiers.find((one) => one === given)
  if (found === undefined) {
    throw new Error(`PAWL_TIER is ${given}: expected ${tiers.join(', ')}`)
  }
  return found
}
