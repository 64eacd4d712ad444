/** Bundles `upload.js` as one does for a program that runs on Node. */
const path = require('node:path')
const webpack = require('webpack')

const configuration = {
  mode: 'production',
  target: 'node20',
  entry: './upload.js',
  output: { path: path.join(__dirname, 'webpack'), filename: 'upload.cjs' },
}

webpack(configuration, (error, stats) => {
  if (error) throw error
  console.log(stats.toString({ all: false, errors: true, warnings: true }))
  if (stats.hasErrors()) process.exitCode = 1
})
