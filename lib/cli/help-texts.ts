/** What help and the manual say besides commands and flags. */

const exitCodesText = `0    done
1    failed
2    the command line, or something that it names, is wrong
3    failed, and may well succeed when it is run again as it is
4    the object is complete, but its callback failed
130  suspended by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP, 131 by SIGQUIT`

const credentialsText = `Credentials are looked for in this order:
  oss://  --credential-process, --profile, OSS_ACCESS_KEY_ID and
          OSS_ACCESS_KEY_SECRET (OSS_SESSION_TOKEN), ALIBABA_CLOUD_*,
          ~/.ossutilconfig, ~/.aliyun/config.json, @alicloud/credentials
  s3://   --credential-process, --profile, AWS_ACCESS_KEY_ID and
          AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN), AWS_PROFILE and the
          profile default of ~/.aws, @aws-sdk/credential-provider-node
The packages at the end are used where they are installed beside pawl.`

const examplesText = `pawl put db.dump oss://bucket/backups/
pawl put -r photos s3://bucket/photos --exclude '*.tmp' --if-changed
pawl put oss://bucket/shop.sql.gz --exec 'pg_dump shop | gzip'
zfs send tank@now | pawl put - s3://bucket/tank.zfs --part-size 64MiB
pawl put -r site s3://bucket/ --endpoint https://s3.example --dry-run
Killed or stopped, the same line goes on where it was.`

/** What no flag says, with its heading in the manual. */
export const sections = [
  ['EXAMPLES', examplesText],
  ['EXIT STATUS', exitCodesText],
  ['CREDENTIALS', credentialsText],
] as const

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ')
}

/** Below the help of the command itself. */
export const generalHelp = `
Exit codes:
${indented(exitCodesText)}

${credentialsText}`

/** Below the help of `put`. */
export const putHelp = `
Examples:
${indented(examplesText)}

Exit codes:
${indented(exitCodesText)}`
