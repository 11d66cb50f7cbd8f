/** What a service without atomicity prints, behind its name, when requests can reach it. */
export const READY = 'serves requests';
