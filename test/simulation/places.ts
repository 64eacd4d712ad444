/** Where everything is: of interest is only that it is one place. */
export const key = 'backups/db.dump'
export const logPath = '/logs/db.dump.pawl'
export const sourcePath = '/sources/db.dump'
