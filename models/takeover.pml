/* Can one group run on two nodes at once? Ownership, proof of death, take-over and return (rules 1 to 4, 6 and 8).

Two nodes can run the group, and coordinators decide. Time is counted in ticks, and a tick may come between any two
steps: messages and processes are as slow as they like, and a process that takes no step for a while was frozen. What is
written to the database is sent, committed and answered at three moments; anything may happen between them, and answers
get lost.

Weaker than the real thing on purpose, so that what holds here holds there:
- a node may be declared silent as soon as nothing of it was committed for node_timeout, also if it is well;
- whoever wants to coordinates, also two at once: safety does not rest on the election;
- nobody has to stop what runs when its permit has ended: safety rests on proof, not on obedience.
(Promises, and observers that see late and forget, are in promises.pml.)

Lives and changes of owner are not counted, so there is no bound on them.

MUTATION=n in the environment breaks one rule; see the list. With none, nothing may be found. */

#define NODE_TIMEOUT 3
#define PERMIT 2                   /* ticks that a renewal lets a node run the group, from before it was sent */
#define WATCHDOG 4                 /* its countdown */
#define PROOF WATCHDOG             /* since a silence was seen: then the watchdog has certainly cut the power */

/* The mutations: number, rule, what is broken. */
#define TAKE_OVER_WITHOUT_PROOF 1     /* rule 4: a silence is taken for a death */
#define PROOF_OF_ANOTHER_LIFE 2       /* rule 4: a fence device's old word counts for the next incarnation too */
#define WATCHDOG_TOO_EARLY 3          /* rule 4: the watchdog's word is taken before its time has passed */
#define FEED_LATE 4                   /* rule 3: an answer feeds the watchdog although the permit it gives is over */
#define UNARMED 5                     /* rule 3: the group is started before the declared watchdog is armed */
#define DISARM_WHILE_IT_RUNS 6        /* rule 3: the watchdog is disarmed while the group runs */
#define SESSION_BEFORE_STOP 7         /* rule 6: a returning node opens its session while the group still runs there */
#define OPEN_ON_AN_OLD_PICTURE 8      /* rule 1: it starts by what it had read before its session was open */
#define START_WITHOUT_SESSION 9       /* rule 2: the owner's name in the record is enough to start */
#define ASSIGN_WITHOUT_COMPARE 10     /* rule 1: a new owner is written without comparing what the decision rests on */
#define UNKNOWN_AS_OFF 11             /* rule 8: an owner that cannot tell reports that nothing runs */
#define START_WITHOUT_TAKING_BACK 12  /* rule 1: an owner starts while its report that nothing runs stands */
#define PROOF_NOT_COMPARED 13         /* rule 4: what was decided on a proof is written although its node is back */
#define RESTART_FORGETS_A_REPORT 14   /* rule 1: a service that starts again does not know what it had reported */
#define REPORT_NOT_COMPARED 15        /* rule 1: an old report is written after the newer one that took it back */
#define ARM_WITHOUT_PERMIT 16         /* rule 3: the watchdog is armed, and the group started, when the permit is over */
#define SILENT_TOO_EARLY 17           /* rule 4: a node is called silent before a permit that it may have has ended */

c_decl {
	static int mutation;
	__attribute__((constructor)) static void choose(void)
	{
		mutation = getenv("MUTATION") ? atoi(getenv("MUTATION")) : 0;
	}
};
#define BROKEN(rule) c_expr { mutation == rule }

mtype = { NO, SENT, COMMITTED };   /* of a renewal */
mtype = { NOTHING, STARTING, RUNS };

/* The world. */
bool power[2];
mtype group[2];        /* STARTING: the host has read the permit and has not started yet */
bool has_watchdog;     /* both nodes have one and say so in their sessions, or neither */
byte countdown[2];     /* 0: it does not count */

/* What a node's service knows. */
bool member[2];        /* it has opened a session, in this life */
bool is_owner[2];      /* so says its picture of the database */
bool unaware[2];       /* it believes that nothing runs here without having looked: only a mutation makes it so */
bool promised[2];      /* it has reported, or is about to, that nothing runs here */
byte permit[2];        /* ticks left */
mtype renewal[2]; byte sent_ago[2];

/* The database, and what is under way to it. */
byte quiet[2];         /* ticks since a session record of the node was committed */
bit owner;
bool silence[2];       /* the present incarnation is declared silent */
bool proven[2];        /* and its death is proven */
byte age[2];           /* ticks since the silence was written: nobody can have seen it for longer */
bool off[2];           /* a fence device has said, since then, that the node is off */
bool report;           /* the owner has reported that nothing runs */
bool report_sent[2];
bool decided, stands;  /* a slow coordinator: give the group to the other one; what that rests on still stands */

#define OTHER(node) (1 - node)

inline power_cut(n) {
	power[n] = false; group[n] = NOTHING; countdown[n] = 0; member[n] = false; is_owner[n] = false;
	promised[n] = false; renewal[n] = NO; sent_ago[n] = 0; permit[n] = 0; unaware[n] = false
	/* What was sent to the database goes on its way. */
}

inline tick_of(n) {
	if :: permit[n] > 0 -> permit[n]-- :: else fi;
	if :: renewal[n] != NO && sent_ago[n] < PERMIT -> sent_ago[n]++ :: else fi;
	if :: has_watchdog && quiet[n] < NODE_TIMEOUT -> quiet[n]++ :: else fi;
	if :: has_watchdog && silence[n] && !proven[n] && age[n] < PROOF -> age[n]++ :: else fi;
	if
	:: countdown[n] == 1 -> power_cut(n)
	:: countdown[n] > 1 -> countdown[n]--
	:: else
	fi
}

inline prove(n) {
	proven[n] = true; stands = false; age[n] = 0;
	if :: BROKEN(PROOF_OF_ANOTHER_LIFE) :: else -> off[n] = false fi;
	assert(group[n] == NOTHING)        /* a proof is true when it is written */
}

inline give_away() {
	assert(group[owner] != RUNS);      /* nothing is given away that still runs */
	owner = OTHER(owner); report = false; stands = false
}

#define may_be_given_away \
	((silence[owner] && (proven[owner] || BROKEN(TAKE_OVER_WITHOUT_PROOF))) || (!silence[owner] && report))

proctype node(bit n) {
	do
	/* The world. */
	:: d_step { power[n] -> power_cut(n) }
	:: d_step { !power[n] -> power[n] = true }
	:: d_step { group[n] == RUNS -> group[n] = NOTHING; unaware[n] = false }      /* it ends by itself, or is stopped */

	/* The session. Opening it deletes the silence of the life before, whatever was known of that. */
	:: d_step { power[n] && (group[n] == NOTHING || group[n] == RUNS && BROKEN(SESSION_BEFORE_STOP)) ->
		member[n] = true; silence[n] = false; proven[n] = false; age[n] = 0; promised[n] = false;
		unaware[n] = (group[n] != NOTHING);
		if :: BROKEN(PROOF_OF_ANOTHER_LIFE) :: else -> off[n] = false fi;
		report_sent[n] = false;
		if :: owner == n -> report = false :: else fi;         /* a report of another life says nothing */
		if :: BROKEN(OPEN_ON_AN_OLD_PICTURE) :: else -> is_owner[n] = (owner == n) fi;
		if :: BROKEN(PROOF_NOT_COMPARED) :: else -> stands = false fi;
		if :: has_watchdog -> renewal[n] = COMMITTED; sent_ago[n] = 0; quiet[n] = 0; permit[n] = 0 :: else fi }
	:: d_step { power[n] && permit[n] > 0 && renewal[n] == NO -> renewal[n] = SENT }
	:: d_step { renewal[n] == SENT ->
		if
		:: !silence[n] -> renewal[n] = COMMITTED; quiet[n] = 0
		:: else -> renewal[n] = NO; sent_ago[n] = 0            /* refused */
		fi }
	:: d_step { renewal[n] == COMMITTED ->                         /* its answer extends the permit, and feeds */
		renewal[n] = NO;
		if
		:: countdown[n] > 0 && (sent_ago[n] < PERMIT || BROKEN(FEED_LATE)) -> countdown[n] = WATCHDOG
		:: else
		fi;
		if :: PERMIT - sent_ago[n] > permit[n] -> permit[n] = PERMIT - sent_ago[n] :: else fi;
		sent_ago[n] = 0 }
	:: d_step { power[n] && countdown[n] > 0 && (group[n] == NOTHING || BROKEN(DISARM_WHILE_IT_RUNS)) ->
		countdown[n] = 0 }

	/* The group, on this node. */
	:: d_step { power[n] && is_owner[n] != (owner == n) -> is_owner[n] = (owner == n) }
	:: d_step { power[n] && is_owner[n] && group[n] == NOTHING &&
	            (member[n] && (!has_watchdog || permit[n] > 0 || BROKEN(ARM_WITHOUT_PERMIT)) ||
	             BROKEN(START_WITHOUT_SESSION)) &&
	            (!promised[n] || BROKEN(START_WITHOUT_TAKING_BACK)) ->
		group[n] = STARTING;
		if
		:: has_watchdog && countdown[n] == 0 && !BROKEN(UNARMED) -> countdown[n] = WATCHDOG
		:: else
		fi }
	:: d_step { group[n] == STARTING -> group[n] = RUNS;
		assert(group[OTHER(n)] != RUNS) }                      /* never two */
	:: d_step { group[n] == STARTING -> group[n] = NOTHING }

	/* Its owner reports that nothing runs, and takes that back before it starts anything. */
	:: d_step { power[n] && is_owner[n] && member[n] && !promised[n] &&
	            (group[n] == NOTHING || unaware[n] || BROKEN(UNKNOWN_AS_OFF)) -> promised[n] = true; report_sent[n] = true }
	:: d_step { report_sent[n] -> report_sent[n] = false;
		if :: owner == n && !silence[n] -> report = true :: else fi }
	:: d_step { power[n] && promised[n] && owner == n ->
		promised[n] = false; report = false; stands = false;
		if :: BROKEN(REPORT_NOT_COMPARED) :: else -> report_sent[n] = false fi }
	:: d_step { promised[n] && BROKEN(RESTART_FORGETS_A_REPORT) -> promised[n] = (owner == n && report) }

	/* What others do about this node. */
	:: d_step { !silence[n] && (!has_watchdog || quiet[n] == NODE_TIMEOUT || BROKEN(SILENT_TOO_EARLY)) ->
		silence[n] = true; age[n] = 0; stands = false }
	:: d_step { silence[n] && !proven[n] && !power[n] && !off[n] -> off[n] = true }
	:: d_step { silence[n] && !proven[n] && off[n] -> prove(n) }
	:: d_step { silence[n] && !proven[n] && has_watchdog &&
	            (age[n] == PROOF || BROKEN(WATCHDOG_TOO_EARLY)) -> prove(n) }
	od
}

proctype coordinators() {
	do
	:: d_step { may_be_given_away -> give_away() }
	:: d_step { !decided && may_be_given_away -> decided = true; stands = true }
	:: d_step { decided && (stands || BROKEN(ASSIGN_WITHOUT_COMPARE)) -> decided = false; give_away() }
	:: d_step { decided && !stands -> decided = false }
	od
}

init {
	atomic {
		power[0] = true; power[1] = true; member[0] = true; member[1] = true; is_owner[0] = true;
		renewal[0] = NO; renewal[1] = NO; group[0] = NOTHING; group[1] = NOTHING;
		if :: has_watchdog = true :: has_watchdog = false fi;
		run node(0); run node(1); run coordinators()
	};
	do
	:: d_step { tick_of(0); tick_of(1) }
	od
}
