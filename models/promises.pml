/* May a node run on while the database is away? Permits, silences, promises, and the watchdog's word (rules 2, 3, 4, 11).

One node (A) owns a group and has a watchdog. Two others observe it: B, which A knows as its peer all the time, and D,
which A may or may not know: each session record of A lists whom A will ask for promises. There may be strangers as well,
whom A does not know at all. Anybody may declare A silent; whoever sees that silence for long enough, and is listed, takes
the watchdog's word for A's death, and gives the group away.

Time is counted in ticks, and a tick may come between any two steps: each message takes as long as it likes, the database
is away for as long as nothing is committed, and a process that takes no step was frozen. Only what clocks measure is
tied to ticks: permits, promises, how long nothing was heard, the watchdog's countdown.

Two things are checked:
- a proof is true when it is written: nothing runs on A, and nothing is about to start;
- whoever A asks for promises writes no silence while A's permit lasts: no healthy node is taken by surprise.

Whoever promises may have the database all the while, and may promise in full whatever it has counted. A service that starts
again promises at once, also when its last life has a silence under way, which arrives whenever it likes. The service refuses a
promise for more reasons than here (a silence of its own is under way): this model does without, so they are second lines.

MUTATION=n in the environment breaks one rule; see the list. With none, nothing may be found. */

#define NODE_TIMEOUT 3
#define PERMIT 2                   /* node_timeout - guard */
#define WATCHDOG 4                 /* longer than node_timeout, as it is */
#define PROOF WATCHDOG             /* since the silence was seen, and no promise stood */

/* The mutations: number, rule, what is broken. */
#define PERMIT_FROM_THE_ANSWER 1      /* rule 2: a renewal's permit counts from its answer */
#define SILENT_TOO_EARLY 2            /* rule 4: an observer waits for less than the length of a permit */
#define SILENCE_WITHOUT_COMPARE 3     /* rule 1: a silence is written although the node has renewed meanwhile */
#define PROMISE_NOT_KEPT 4            /* rule 11: a silence is written against a promise */
#define ONE_PROMISE_IS_ENOUGH 5       /* rule 11: not everybody in the list was asked */
#define PROMISE_FROM_THE_ANSWER 6     /* rule 11: a promise's permit counts from its answer */
#define LIST_OF_THE_PICTURE 7         /* rule 11: the list that is about to be published is asked, not the published */
#define WATCHDOG_FOR_STRANGERS 8      /* rule 11: whoever is not in the list takes the watchdog's word */
#define WATCHDOG_FROM_THE_RECORD 9    /* rule 4: the watchdog's time counts from the last session record */
#define FEED_LATE 10                  /* rule 3: an answer feeds the watchdog although the permit it gives is over */
#define WATCHDOG_DURING_A_PROMISE 11  /* rule 11: the watchdog's time counts during a promise too */
#define PROMISE_FORGOTTEN 12          /* rule 11: who starts again does not wait for what it may have promised */
#define COUNT_IGNORED 13              /* rule 11: a promise counts in full, though a part of the silence was counted */
#define COUNTED_FROM_THE_ANSWER 14    /* rule 11: what was counted is taken off from when the answer comes */

c_decl {
	static int mutation;
	__attribute__((constructor)) static void choose(void)
	{
		mutation = getenv("MUTATION") ? atoi(getenv("MUTATION")) : 0;
	}
};
#define BROKEN(rule) c_expr { mutation == rule }

#define B 0
#define D 1

mtype = { NO, SENT, COMMITTED };
mtype = { NOTHING, STARTING, RUNS };

/* A, and what it knows. */
mtype group = NOTHING;
byte countdown;        /* of its watchdog; 0: it does not count */
byte permit = PERMIT;
mtype renewal = NO; byte renewal_age; bool with_d;   /* the record under way lists D */
bool asks_d;           /* the last acknowledged record lists D */
bool asking; byte asking_age; bool answer[2];
byte counted;          /* of A's silence, by who promised: the most of it */

/* The database. */
bool lists_d;
bool silence;
byte quiet;            /* ticks since a record of A was committed */

/* B and D, and what they know. */
bool newest[2];        /* the newest session record of A is in the picture */
byte unheard[2];       /* ticks since it was seen */
bool sees[2];          /* A's silence is in the picture */
byte age[2];           /* ticks since it was seen there, and a promise had ended */
byte promise[2];       /* ticks left */
bool writing[2];       /* a silence of A is under way */
bool good[2];          /* and A has not renewed since it was sent */

bool over;             /* A's session has ended, and nothing runs there: nothing more can go wrong */

#define listed(o) (o == B || lists_d)

inline feed() {
	if :: countdown > 0 -> countdown = WATCHDOG :: else fi
}

inline extend(sent_ago) {              /* the permit counts from before the question was sent */
	if :: PERMIT - (sent_ago) > permit -> permit = PERMIT - (sent_ago) :: else fi
}

active proctype a() provided (!over) {
	do
	:: d_step { permit > 0 && renewal == NO -> renewal = SENT; with_d = true }
	:: d_step { permit > 0 && renewal == NO -> renewal = SENT }    /* whom it lists is its own affair */
	:: d_step { renewal == SENT && !silence ->
		renewal = COMMITTED; lists_d = with_d; quiet = 0;
		newest[B] = false; newest[D] = false; unheard[B] = 0; unheard[D] = 0;
		good[B] = false; good[D] = false }
	:: d_step { renewal == SENT && silence -> renewal = NO; renewal_age = 0; with_d = false }   /* refused */
	:: d_step { renewal == COMMITTED ->
		asks_d = with_d; renewal = NO; extend(renewal_age);
		if :: permit > 0 || BROKEN(FEED_LATE) -> feed() :: else fi;
		if :: BROKEN(PERMIT_FROM_THE_ANSWER) -> permit = PERMIT :: else fi;
		renewal_age = 0; with_d = false }

	/* Promises. Everybody who is in the published record is asked, and who may be, if one is under way. */
	:: d_step { permit > 0 && !asking ->
		asking = true; asking_age = 0; counted = 0; answer[B] = false;
		if
		:: BROKEN(LIST_OF_THE_PICTURE) && renewal != NO -> answer[D] = !with_d
		:: else -> answer[D] = !asks_d && !(renewal != NO && with_d)
		fi }
	:: d_step { asking && (answer[B] && answer[D] || BROKEN(ONE_PROMISE_IS_ENOUGH) && (answer[B] || answer[D])) ->
		asking = false;
		if :: BROKEN(COUNT_IGNORED) -> counted = 0 :: BROKEN(COUNTED_FROM_THE_ANSWER) -> asking_age = 0 :: else fi;
		extend(asking_age + counted);
		if :: permit > 0 -> feed() :: else fi;                 /* however late: its promisers count from later on */
		if :: BROKEN(PROMISE_FROM_THE_ANSWER) -> permit = PERMIT :: else fi;
		asking_age = 0; counted = 0; answer[B] = false; answer[D] = false }
	:: d_step { asking -> asking = false; asking_age = 0; counted = 0; answer[B] = false; answer[D] = false }

	/* The group. */
	:: d_step { group == NOTHING && permit > 0 ->
		group = STARTING; if :: countdown == 0 -> countdown = WATCHDOG :: else fi }
	:: d_step { group == STARTING -> group = RUNS }
	:: d_step { group != NOTHING -> group = NOTHING; countdown = 0 }
	od
}

/* A stranger whom A does not know, and who asks nobody. */
active proctype stranger() provided (!over) {
	do
	:: d_step { !silence && (quiet == NODE_TIMEOUT || BROKEN(SILENCE_WITHOUT_COMPARE)) -> silence = true }
	od
}

proctype observer(bit o) provided (!over) {
	do
	:: d_step { !newest[o] -> newest[o] = true }
	:: d_step { silence && !sees[o] && newest[o] -> sees[o] = true; age[o] = 0 }

	/* A silence: sent, and committed whenever it arrives. (Who is not listed is as a stranger.) */
	:: d_step { !writing[o] && !silence && newest[o] && listed(o) &&
	            (unheard[o] == NODE_TIMEOUT || unheard[o] == NODE_TIMEOUT - 2 && BROKEN(SILENT_TOO_EARLY)) &&
	            (promise[o] == 0 || BROKEN(PROMISE_NOT_KEPT)) ->
		writing[o] = true; good[o] = true }
	:: d_step { writing[o] && !silence && (good[o] || BROKEN(SILENCE_WITHOUT_COMPARE)) ->
		writing[o] = false; good[o] = false; silence = true;
		assert(!listed(o) || permit == 0) }                    /* nobody is taken by surprise */
	:: d_step { writing[o] && (silence || !good[o]) -> writing[o] = false; good[o] = false }      /* refused */

	/* A promise: in full, of anybody (of who is cut off himself, or whose renewal is overdue); and of who has the database, and
	has counted a part of A's silence, for what is left of it. */
	:: d_step { asking && !answer[o] && !sees[o] -> answer[o] = true; promise[o] = NODE_TIMEOUT }
	:: d_step { asking && !answer[o] && !sees[o] && unheard[o] > 0 && unheard[o] < NODE_TIMEOUT ->
		answer[o] = true;
		if :: NODE_TIMEOUT - unheard[o] > promise[o] -> promise[o] = NODE_TIMEOUT - unheard[o] :: else fi;
		if :: unheard[o] > counted -> counted = unheard[o] :: else fi }

	/* The watchdog's word. */
	:: d_step { sees[o] && promise[o] == 0 && (listed(o) || BROKEN(WATCHDOG_FOR_STRANGERS)) &&
	            (age[o] == PROOF || unheard[o] == NODE_TIMEOUT && BROKEN(WATCHDOG_FROM_THE_RECORD)) ->
		assert(group == NOTHING) }                             /* a proof is true when it is written */

	/* The service starts again, and knows nothing of what it had sent or promised; so it waits as if it had promised
	just now. (D's only: B is a D that A lists all the time.) */
	:: d_step { o == D && (newest[o] || promise[o] > 0) ->
		promise[o] = (BROKEN(PROMISE_FORGOTTEN) -> 0 : NODE_TIMEOUT);
		newest[o] = false; unheard[o] = 0; sees[o] = false; age[o] = 0 }
	od
}

inline tick_of(o) {
	if :: promise[o] > 0 -> promise[o]-- :: else fi;
	if :: newest[o] && unheard[o] < NODE_TIMEOUT && (!sees[o] || BROKEN(WATCHDOG_FROM_THE_RECORD)) -> unheard[o]++ :: else fi;
	if :: sees[o] && age[o] < PROOF && (promise[o] == 0 || BROKEN(WATCHDOG_DURING_A_PROMISE)) -> age[o]++ :: else fi
}

init {
	atomic { run observer(B); run observer(D) };
	do
	:: d_step { !over ->
		if :: permit > 0 -> permit-- :: else fi;
		if :: quiet < NODE_TIMEOUT -> quiet++ :: else fi;
		if :: renewal != NO && renewal_age < PERMIT -> renewal_age++ :: else fi;
		if :: asking && asking_age < PERMIT -> asking_age++ :: else fi;
		if
		:: countdown == 1 ->                                   /* the power is cut: the end of A */
			countdown = 0; group = NOTHING; permit = 0; renewal = NO; asking = false;
			renewal_age = 0; asking_age = 0; counted = 0; answer[B] = false; answer[D] = false; with_d = false
		:: countdown > 1 -> countdown--
		:: else
		fi;
		tick_of(B); tick_of(D);
		over = (permit == 0 && group == NOTHING && renewal == NO && !asking) }
	:: over -> skip
	od
}
