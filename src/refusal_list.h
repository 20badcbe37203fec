/*
 * refusal_list.h
 *
 * The only list of refusals. Included several times with REFUSAL defined as
 * needed; refusals() and the reference page are made from it.
 *
 * REFUSAL(code, return code, HTTP status, can a retry help, message, hint)
 *
 * The SQLSTATE is RF and the last three digits of the return code. Message:
 * lower case, no full stop. Hint: what the caller can do, or NULL.
 */

/* 400: the request came at the wrong time or asks for too much */
REFUSAL(ENROLLMENT_NOT_STARTED, 4001, 400, false, "enrolment has not started",
		"Try again once it is open.")
REFUSAL(ENROLLMENT_CLOSED, 4002, 400, false, "enrolment is closed", NULL)
REFUSAL(CREDIT_LIMIT_EXCEEDED, 4003, 400, false, "credit limit would be exceeded",
		"Cancel another section first.")
REFUSAL(CANCELLATION_DEADLINE_PASSED, 4004, 400, false, "the deadline for cancelling has passed",
		"Ask the registrar's office.")
REFUSAL(PREREQUISITE_NOT_MET, 4005, 400, false, "a prerequisite is not met", NULL)
REFUSAL(SALE_NOT_STARTED, 4006, 400, false, "the sale has not started",
		"Try again once it is open.")
REFUSAL(SALE_CLOSED, 4007, 400, false, "the sale is closed", NULL)
REFUSAL(COUPON_NOT_STARTED, 4008, 400, false, "the coupon is not issued yet",
		"Try again once it is open.")
REFUSAL(COUPON_CLOSED, 4009, 400, false, "the coupon is no longer issued", NULL)
REFUSAL(QUANTITY_LIMIT_EXCEEDED, 4010, 400, false, "the limit for one customer would be exceeded",
		"Ask for fewer units.")
REFUSAL(CURRENCY_MISMATCH, 4011, 400, false, "currencies do not match", NULL)
REFUSAL(CREDIT_MINIMUM_NOT_MET, 4012, 400, false, "the credits would fall below the minimum",
		"Add another section in the same change.")
REFUSAL(COREQUISITE_NOT_MET, 4013, 400, false, "a corequisite is not met",
		"Take both in one change.")
REFUSAL(CREDITS_OUT_OF_RANGE, 4014, 400, false, "the section cannot be taken for so many credits",
		NULL)

/* 402 */
REFUSAL(INSUFFICIENT_BALANCE, 4021, 402, false, "the balance does not suffice",
		"Top up the account first.")

/* 403 */
REFUSAL(QUEUE_NOT_ADMITTED, 4031, 403, false, "not admitted from the waiting room yet",
		"Wait for your turn.")

/* 404: no such thing */
REFUSAL(STUDENT_NOT_FOUND, 4041, 404, false, "there is no such student", NULL)
REFUSAL(COURSE_NOT_FOUND, 4042, 404, false, "there is no such section", NULL)
REFUSAL(NOT_ENROLLED, 4043, 404, false, "the student is not enrolled in this section", NULL)
REFUSAL(ITEM_NOT_FOUND, 4044, 404, false, "there is no such item", NULL)
REFUSAL(SEAT_NOT_FOUND, 4045, 404, false, "there is no such seat", NULL)
REFUSAL(RESERVATION_NOT_FOUND, 4046, 404, false, "there is no such reservation", NULL)
REFUSAL(COUPON_NOT_FOUND, 4047, 404, false, "there is no such coupon", NULL)
REFUSAL(COUPON_ISSUE_NOT_FOUND, 4048, 404, false, "there is no such issued coupon", NULL)
REFUSAL(ACCOUNT_NOT_FOUND, 4049, 404, false, "there is no such account", NULL)
REFUSAL(PAYMENT_NOT_FOUND, 4050, 404, false, "there is no such payment", NULL)
REFUSAL(QUEUE_NOT_FOUND, 4051, 404, false, "there is no such queue", NULL)
REFUSAL(TICKET_NOT_FOUND, 4052, 404, false, "there is no such ticket", NULL)
REFUSAL(NOT_WAITLISTED, 4053, 404, false, "the student is not on the wait list of this section",
		NULL)

/* 409: the state of things does not allow it */
REFUSAL(COURSE_FULL, 4091, 409, false, "the section is full", "Join its wait list, if it has one.")
REFUSAL(WAITLIST_FULL, 4092, 409, false, "the wait list is full", NULL)
REFUSAL(ALREADY_ENROLLED, 4093, 409, false, "the student is already enrolled in this course", NULL)
REFUSAL(SCHEDULE_CONFLICT, 4094, 409, false, "the timetable would overlap",
		"Cancel the section it clashes with first.")
REFUSAL(REENROLL_NOT_ALLOWED, 4095, 409, false,
		"the course was passed with a grade that may not be retaken", NULL)
REFUSAL(OUT_OF_STOCK, 4096, 409, false, "there is not enough stock", NULL)
REFUSAL(SEAT_TAKEN, 4097, 409, false, "the seat is taken", NULL)
REFUSAL(RESERVATION_NOT_HELD, 4098, 409, false, "the reservation is not held", NULL)
REFUSAL(COUPON_EXHAUSTED, 4099, 409, false, "all coupons have been issued", NULL)
REFUSAL(COUPON_ALREADY_ISSUED, 4100, 409, false, "the user already has this coupon", NULL)
REFUSAL(COUPON_NOT_REDEEMABLE, 4101, 409, false, "the coupon cannot be redeemed", NULL)
REFUSAL(PAYMENT_NOT_PENDING, 4102, 409, false, "the payment is not pending", NULL)
REFUSAL(REFUND_EXCEEDS_PAYMENT, 4103, 409, false, "the refund would exceed the payment", NULL)
REFUSAL(IDEMPOTENCY_KEY_IN_USE, 4104, 409, true,
		"a call with this idempotency key is still running", "Try again later with the same key.")
REFUSAL(ALREADY_WAITLISTED, 4105, 409, false,
		"the student is already on the wait list of this section",
		"Leave it first, or wait for a seat.")

/* 410 */
REFUSAL(RESERVATION_EXPIRED, 4110, 410, false, "the reservation has expired", "Reserve again.")

/* 422 */
REFUSAL(IDEMPOTENCY_KEY_REUSED, 4122, 422, false,
		"the idempotency key was used with other arguments", "Use a new key for a new request.")

/* 429 */
REFUSAL(TOO_MANY_WAITERS, 4129, 429, true, "too many callers are waiting already",
		"Try again later.")

/* 503 */
REFUSAL(LOCK_TIMEOUT, 5101, 503, true, "a lock was not available in time", "Try again.")
