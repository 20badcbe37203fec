"""What the checker knows of the operations. A new function joins by a line in OPERATIONS."""


class Operation:
    """What a call does, as far as its arguments say. person: which of them that is. adds: the pools that it
    takes from and how much, drops: those whose claims it gives back. id_is: what the id of its answer is of.
    to: it gives a claim another status, if it is one of those in of; claim: which argument is the claim's id,
    where it is not found by person and pool. missing, wrong: the answers that there is no such claim, and that
    its status is another one. holds: sections that must be had, and are given up later. capacity: which
    argument is the new capacity of the pool. opens: whether a section is open then. credits: those that it
    states for pools. bad: the SQLSTATE of arguments that make no sense."""

    def __init__(self, kind, person=None, pool=None, adds=None, drops=None, id_is="claim", to=None, of=(), claim=None,
                 missing=None, wrong=None, holds=lambda arguments: (), capacity=None, opens=None, credits=lambda arguments: {},
                 bad=lambda arguments: None):
        self.kind, self.person, self.pool, self.adds, self.drops, self.id_is = kind, person, pool, adds, drops, id_is
        self.to, self.of, self.claim, self.missing, self.wrong, self.capacity = to, of, claim, missing, wrong, capacity
        self.holds, self.opens, self.credits, self.bad = holds, opens, credits, bad

    @property
    def takes(self):
        return self.adds is not None


def taking(kind, person, pool, units=None, credits=lambda arguments: {}):
    return Operation(kind, person, pool, adds=lambda arguments: [(arguments[pool], 1 if units is None else arguments[units])], credits=credits)


def stated(pool):
    """Credits that are stated for the section that is that argument, in the one behind it."""
    return lambda arguments: {arguments[pool]: arguments[pool + 1]} if len(arguments) > pool + 1 else {}


def all_stated(arguments):
    """Those of a change: for what is added, one by one, some perhaps not."""
    _, _, adds, *credits = arguments
    return {pool: number for pool, number in zip(adds, *credits) if number is not None} if credits else {}


def bad_change(arguments):
    _, drops, adds, *credits = arguments
    if not drops + adds or len(set(drops + adds)) < len(drops + adds):
        return "22023"
    return "2202E" if credits and len(credits[0]) != len(adds) else None


OPERATIONS = {
    "enroll": taking("section", person=0, pool=1, credits=stated(1)),
    "raw_enroll": taking("section", person=0, pool=1),
    "cancel_enrollment": Operation("section", person=0, pool=1, drops=lambda arguments: arguments[1:2],
                                   to="cancelled", of=("enrolled",), missing="NOT_ENROLLED"),
    "swap_enrollment": Operation("section", person=0, adds=lambda arguments: [(arguments[2], 1)], drops=lambda arguments: arguments[1:2],
                                 to="cancelled", of=("enrolled",), missing="NOT_ENROLLED", credits=stated(2),
                                 bad=lambda arguments: "22023" if arguments[1] == arguments[2] else None),
    "change_schedule": Operation("section", person=0, adds=lambda arguments: [(pool, 1) for pool in arguments[2]],
                                 drops=lambda arguments: arguments[1], id_is="person",
                                 to="cancelled", of=("enrolled",), missing="NOT_ENROLLED", credits=all_stated, bad=bad_change),
    "join_waitlist": taking("line", person=0, pool=1, credits=stated(1)),
    "join_waitlist_to_swap": Operation("line", person=0, pool=1, adds=lambda arguments: [(arguments[1], 1)], missing="NOT_ENROLLED",
                                       of=("enrolled",), holds=lambda arguments: arguments[2:],
                                       bad=lambda arguments: "22023" if arguments[1] == arguments[2] else None),
    # With a seat free, and nobody in line, that is an enrolment.
    "join_enrolled": taking("section", person=0, pool=1, credits=stated(1)),
    "join_swapped": Operation("section", person=0, adds=lambda arguments: [(arguments[1], 1)], drops=lambda arguments: arguments[2:],
                              to="cancelled", of=("enrolled",), missing="NOT_ENROLLED"),
    "leave_waitlist": Operation("line", person=0, pool=1, drops=lambda arguments: arguments[1:], to="left", of=("waitlisted",),
                                missing="NOT_WAITLISTED"),
    "waitlist_position": Operation("line", person=0, pool=1),
    "pass_waitlists": Operation("section"),
    # What calls about others have done, see line.py.
    "promotion": Operation("section", person=0, pool=1, adds=lambda arguments: [(arguments[1], 1)], drops=lambda arguments: arguments[2:],
                           to="seated"),
    "promotion_gives_up": Operation("section", to="cancelled"),
    "raw_cancel_enrollment": Operation("section", to="cancelled", of=("enrolled",), claim=0, missing="NONE", wrong="NONE"),
    "reserve": taking("item", person=0, pool=1, units=2),
    "confirm_reservation": Operation("item", to="confirmed", of=("held",), claim=0, missing="RESERVATION_NOT_FOUND",
                                     wrong="RESERVATION_NOT_HELD"),
    "cancel_reservation": Operation("item", to="cancelled", of=("held", "confirmed"), claim=0, missing="RESERVATION_NOT_FOUND",
                                    wrong="RESERVATION_NOT_HELD"),
    "expire_reservations": Operation("item"),
    "issue_coupon": taking("coupon", person=1, pool=0),
    "raw_issue_coupon": taking("coupon", person=1, pool=0),
    "raw_revoke_coupon": Operation("coupon", to="revoked", of=("issued",), claim=0, missing="NONE", wrong="NONE"),
    "set_section_capacity": Operation("section", pool=0, capacity=1),
    # The load has some in one section, and no others that are ever released.
    "release_reserved_seats": Operation("section"),
    "cancel_section": Operation("section", pool=0, opens=0),
    "open_section": Operation("section", pool=0, opens=1),
    # Of each that was dropped, see Call.parts().
    "drop_seat": Operation("section", to="cancelled", of=("enrolled",), claim=0),
    "drop_place": Operation("line", to="left", of=("waitlisted",), claim=0),
    "load_catalogue": Operation("section", pool=0, capacity=1),
    "set_item_capacity": Operation("item", pool=0, capacity=1),
    "set_coupon_capacity": Operation("coupon", pool=0, capacity=1),
}


def operation_of(call):
    return OPERATIONS[call.became or call.operation]


def is_function(call):
    return not call.operation.startswith(("raw_", "set_", "expire_"))
