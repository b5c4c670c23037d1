/** The longest delay a timer takes, in milliseconds; beyond it Node would fire at once. */
export const TIMER_MS_MAX = 2 ** 31 - 1
