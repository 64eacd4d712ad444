/** Imports one module, or none. */
export async function createClient({ name }) {
  const paths = { pawl: '../../dist/index.js' }
  return {
    async run() {
      if (name !== 'nothing') await import(paths[name] ?? name)
    },
  }
}
