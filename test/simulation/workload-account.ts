/** The account that money is moved between participants by; its row is locked where rows are. */
export const ACCOUNT = 'money';
/** A second one of the same participant, for what one branch moves by itself. */
export const SAVINGS = 'savings';
