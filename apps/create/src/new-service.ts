/** What is asked for when a service is to be written. */

export const DATABASE_ACCESS = ['typeorm', 'pg'] as const;
export type DatabaseAccess = (typeof DATABASE_ACCESS)[number];

export interface NewService {
  readonly name: string;
  readonly access: DatabaseAccess;
  /** The version of Concordat that it gets. */
  readonly version: string;
  /** A folder of tarballs to take Concordat from, as `npm run pack` makes it. */
  readonly packages?: string;
  /** Where the folder is made. Default: the current one. */
  readonly within?: string;
}
