/** Imports one module, or none. */
export async function createClient({ name }) {
  const paths = { undici: 'undici', pawl: '../../dist/index.js' }
  return {
    async run() {
      if (paths[name] !== undefined) await import(paths[name])
    },
  }
}
