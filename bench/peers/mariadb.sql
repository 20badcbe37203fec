-- The same rules in MariaDB: the coupon with its counter, the same claims under the
-- same indexes, and a stored procedure that is one transaction. A line of // ends a
-- statement, for mariadb.js, which sends them one by one.

CREATE TABLE coupon (
    id bigint NOT NULL PRIMARY KEY,
    quota bigint NOT NULL,
    issued bigint NOT NULL DEFAULT 0,
    opens_at datetime(6) NOT NULL,
    closes_at datetime(6) NOT NULL
)
ENGINE = InnoDB
//

CREATE TABLE coupon_issue (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    coupon_id bigint NOT NULL,
    user_id bigint NOT NULL,
    user_ordinal integer NOT NULL DEFAULT 1,
    status varchar(8) NOT NULL DEFAULT 'issued',
    arrival bigint,
    arrived_at datetime(6) NOT NULL DEFAULT current_timestamp(6),
    redeemed_at datetime(6),
    reference text,
    UNIQUE KEY coupon_issue_once_a_user (coupon_id, user_id, user_ordinal)
)
ENGINE = InnoDB
//

-- Why a claim was not made, in the order in which the extension refuses.
CREATE PROCEDURE refuse(IN wanted_coupon bigint, IN customer bigint)
READS SQL DATA
BEGIN
    DECLARE opens, closes datetime(6);
    SELECT c.opens_at, c.closes_at INTO opens, closes FROM coupon c WHERE c.id = wanted_coupon;
    IF opens IS NULL THEN
        SELECT 'COUPON_NOT_FOUND' AS answer;
    ELSEIF sysdate(6) < opens THEN
        SELECT 'COUPON_NOT_STARTED' AS answer;
    ELSEIF sysdate(6) >= closes THEN
        SELECT 'COUPON_CLOSED' AS answer;
    ELSEIF EXISTS (SELECT 1 FROM coupon_issue i WHERE i.coupon_id = wanted_coupon AND i.user_id = customer) THEN
        SELECT 'COUPON_ALREADY_ISSUED' AS answer;
    ELSE
        SELECT 'COUPON_EXHAUSTED' AS answer;
    END IF;
END
//

-- The hot row is locked first, for two who insert the same claim would deadlock
-- where the first of them is undone.
CREATE PROCEDURE issue_coupon(IN wanted_coupon bigint, IN customer bigint)
MODIFIES SQL DATA
BEGIN
    DECLARE EXIT HANDLER FOR 1062
    BEGIN
        ROLLBACK;
        CALL refuse(wanted_coupon, customer);
    END;
    START TRANSACTION;
    UPDATE coupon SET issued = (@arrival := issued + 1)
    WHERE id = wanted_coupon
        AND issued < quota
        AND sysdate(6) >= opens_at
        AND sysdate(6) < closes_at;
    IF row_count() = 0 THEN
        ROLLBACK;
        CALL refuse(wanted_coupon, customer);
    ELSE
        INSERT INTO coupon_issue (coupon_id, user_id, arrival) VALUES (wanted_coupon, customer, @arrival);
        COMMIT;
        SELECT 'OK' AS answer;
    END IF;
END
