/* Can a live migration run a VM twice, or let an old copy of it go on (rules 1, 2, 4, 9)?

Two nodes, the source S and the destination D, own a group in turn; either may hand it over to the other. The hypervisor
carries a migration out, whoever asked for it: at some moment the copy on the destination is complete and the one on the
source stands still; then the source hears that all is well and ends, or the connection breaks before it hears, and the
source goes on: then an old copy stands on the destination. Services may die and start again in every moment, and know
then only what they see, what is noted on the node, and what stands in the database. A node may lose power and come back;
of what it ran nothing is left, and what was noted there is gone. The database may be away for as long as it likes:
nothing is committed then. Reports and assignments are compare-and-set, as in takeover.pml, which shows what this model
takes for granted: sessions, permits, and that a proof of death is true when it is written.

The state of the VM is a number, up by one whenever it runs for a while: what a copy holds is the number as of the moment
in which it was complete. To go on from an older one is to write an old memory over a newer disk.

Checked: nothing runs on both nodes; what goes on is what ran last.

MUTATION=n in the environment breaks one rule; see the list. With none, nothing may be found. */

#define MOST 3      /* migrations, and steps that the VM makes */

/* The mutations: number, rule, what is broken. */
#define RUN_ON_ARRIVAL 1             /* rule 9: the destination runs what it receives as soon as it is complete */
#define TAKE_UP_WHATEVER_STANDS 2    /* rule 9: an owner takes up what stands there, whether it was handed over or not */
#define ASSIGN_WITHOUT_A_WORD 3      /* rule 9: the coordinator calls it handed over before its owner says so */
#define FAILED_IS_DONE 4             /* rule 9: the owner calls a migration done that failed */
#define WORD_OUTLIVES_ITS_EPOCH 5    /* rule 1: the coordinator believes what an owner said at an earlier epoch */
#define START_WITHOUT_TAKING_BACK 6  /* rule 1: who said that it was handed over starts it anew, and lets that stand */
#define ASSIGN_WITHOUT_COMPARE 7     /* rule 1: the coordinator does not compare the owner's report */
#define RECEIVED_FOR_EVER 8          /* rule 9: it counts as received also when it is given away anew */
#define GUESS_WHERE_IT_WENT 9        /* rule 9: what somebody else migrated away counts as handed over */
#define SILENT_IS_DEAD 10            /* rule 4: a silent node counts as dead, and what it had is given away */
#define MEMORY_OUTLIVES_ITS_EPOCH 11 /* rule 1: an owner repeats what it knew when it was the owner before */
#define FOREIGNERS_RUN 12            /* rule 1: it is started on a node that does not own it */

c_decl {
	static int mutation;
	__attribute__((constructor)) static void choose(void)
	{
		mutation = getenv("MUTATION") ? atoi(getenv("MUTATION")) : 0;
	}
};
#define BROKEN(rule) c_expr { mutation == rule }

mtype = { NOTHING, RUNS, STILL, ARRIVES, STANDS };
/* STILL: handed over, and it has not heard so yet. ARRIVES: not complete; STANDS: complete. */

/* The world, by node. */
mtype copy[2] = NOTHING;
byte holds[2];         /* the state that the copy holds which stands there */
byte state;            /* what the VM has come to, and with it its disk */
bool on[2] = true;
bool noted[2];         /* on the node, until it loses power: its service has begun to hand it over */
bool gone[2];          /* libvirt there says that it has been migrated away */
bool elsewhere;        /* somebody migrated it to a machine that is none of the two, and there it runs */

/* The migration that is under way. */
bool moving; bit from;
byte moves; byte steps;

/* What the service of each node remembers. */
bool handed[2];        /* it was handed over: nothing of it runs here */
bool failed[2];        /* it was tried in vain, for the present wish */

/* The database. */
bit owner; bool received; bool wish;   /* wish: to move it, live, to the other node */
bool word;             /* its owner's, of this life and at this epoch: it was handed over, and nothing of it runs here */
bool dead[2];          /* proven */

/* The coordinator's decision that is under way, and what it had seen. */
bool deciding; bool gives; bool seen_word; bool seen_dead;

#define other(n) (1 - (n))
#define alone(n) (copy[other(n)] != RUNS && !elsewhere)
#define owns(n) (on[n] && owner == (n) && !dead[n])

inline go_on(n) {                      /* from the memory that stands there */
	assert(holds[n] == state);         /* which is never an old one */
	copy[n] = RUNS; holds[n] = 0; assert(alone(n))
}

inline start_anew(n) {                 /* from the disk */
	copy[n] = RUNS; holds[n] = 0; noted[n] = false; assert(alone(n))
}

inline throw_away(n) {
	copy[n] = NOTHING; holds[n] = 0
}

/* The hypervisor: it needs no service. */
active proctype hypervisor() {
end:	do
	:: d_step { copy[0] == RUNS && steps < MOST -> state++; steps++ }
	:: d_step { copy[1] == RUNS && steps < MOST -> state++; steps++ }
	:: d_step { moving && copy[from] == RUNS && copy[other(from)] == ARRIVES ->
		copy[from] = STILL; copy[other(from)] = STANDS; holds[other(from)] = state;
		if :: BROKEN(RUN_ON_ARRIVAL) -> go_on(other(from)) :: else fi }
	/* The source hears that all is well. */
	:: d_step { moving && copy[from] == STILL -> copy[from] = NOTHING; gone[from] = true; moving = false }
	/* The connection breaks before that: the source goes on, and an old copy stands on the destination; or none. */
	:: d_step { moving && copy[from] == STILL -> copy[from] = RUNS; moving = false; assert(alone(from)) }
	:: d_step { moving && copy[from] == STILL && copy[other(from)] == STANDS ->
		copy[from] = RUNS; throw_away(other(from)); moving = false }
	/* It fails earlier, is called back, or one of the two is gone. */
	:: d_step { moving && copy[from] != STILL ->
		if :: copy[other(from)] == ARRIVES -> copy[other(from)] = NOTHING :: else fi; moving = false }
	/* Somebody migrates it away past the cluster. */
	:: d_step { copy[0] == RUNS && !moving && !noted[0] && owner == 0 && !elsewhere ->
		copy[0] = NOTHING; gone[0] = true; elsewhere = true }
	od
}

proctype service(bit n) {
end:	do
	/* The owner hands it over: not to where something of that name stands already, says libvirt. */
	:: d_step { owns(n) && wish && copy[n] == RUNS && !moving && !failed[n] && moves < MOST &&
	            on[other(n)] && copy[other(n)] == NOTHING ->
		moving = true; from = n; copy[other(n)] = ARRIVES; noted[n] = true; moves++ }
	/* It looks what became of it, whether it began that itself or the service before it. */
	:: d_step { owns(n) && gone[n] && copy[n] == NOTHING && (noted[n] || BROKEN(GUESS_WHERE_IT_WENT)) ->
		handed[n] = true; gone[n] = false }
	:: d_step { owns(n) && noted[n] && !moving && copy[n] == RUNS ->
		noted[n] = false; failed[n] = true;
		if :: BROKEN(FAILED_IS_DONE) -> word = true :: else fi }
	/* It says so; and takes it back, before it starts it anew, when nobody has taken it over there. */
	:: d_step { owns(n) && handed[n] && !word -> word = true }
	:: d_step { owns(n) && handed[n] && word && !wish ->
		handed[n] = false;
		if :: BROKEN(START_WITHOUT_TAKING_BACK) -> start_anew(n) :: else -> word = false fi }
	:: d_step { owns(n) && copy[n] == NOTHING && !(moving && from == n) && !gone[n] && !handed[n] && !word ->
		start_anew(n) }
	/* What it has received, it takes up. An old copy ends, and so does what is not its own and not on its way. */
	:: d_step { owns(n) && copy[n] == STANDS && (received || BROKEN(TAKE_UP_WHATEVER_STANDS)) -> go_on(n) }
	:: d_step { owns(n) && copy[n] == STANDS && !received -> throw_away(n) }
	:: d_step { on[n] && owner != n && copy[n] == STANDS && !wish -> throw_away(n) }
	:: d_step { on[n] && owner != n && copy[n] == RUNS -> throw_away(n) }
	:: d_step { on[n] && owner != n && copy[n] == NOTHING && !(moving && from != n) && BROKEN(FOREIGNERS_RUN) ->
		start_anew(n) }
	:: d_step { on[n] && owner != n && copy[n] == NOTHING && (handed[n] || gone[n] || noted[n] || failed[n]) ->
		handed[n] = false; gone[n] = false; noted[n] = false; failed[n] = false }
	/* The service starts again: it knows what libvirt says, and what is noted. */
	:: d_step { on[n] && (handed[n] || failed[n]) ->
		gone[n] = gone[n] || handed[n]; handed[n] = false; failed[n] = false }
	/* The node loses power; and is back, with nothing running, in another life, of which no word was heard. */
	:: d_step { on[n] && on[other(n)] && moves > 0 && !(elsewhere && owner == n) ->
		on[n] = false; copy[n] = NOTHING; holds[n] = 0;
		handed[n] = false; failed[n] = false; noted[n] = false; gone[n] = false }
	:: d_step { !on[n] && (owner != n || dead[n]) ->
		on[n] = true; dead[n] = false; if :: owner == n -> word = false :: else fi }
	od
}

active proctype coordinator() {
end:	do
	/* An administrator wishes it elsewhere, or takes that back, in time or too late. */
	:: d_step { !wish && moves < MOST -> wish = true; failed[owner] = false }
	:: d_step { wish -> wish = false }
	/* A proof of death, as takeover.pml has it. */
	:: d_step { !dead[owner] && (!on[owner] || BROKEN(SILENT_IS_DEAD)) -> dead[owner] = true }
	/* It decides by what it sees, and writes that later. */
	:: d_step { !deciding && !dead[owner] && on[other(owner)] &&
	            (word || BROKEN(ASSIGN_WITHOUT_A_WORD) && wish && copy[other(owner)] == STANDS) ->
		deciding = true; gives = true; seen_word = word }
	:: d_step { !deciding && dead[owner] && on[other(owner)] ->
		deciding = true; gives = word; seen_word = word; seen_dead = true }
	:: d_step { deciding ->
		if
		:: (seen_word == word && seen_dead == dead[owner]) || BROKEN(ASSIGN_WITHOUT_COMPARE) ->
			owner = other(owner); wish = false;
			received = gives || (BROKEN(RECEIVED_FOR_EVER) && received);
			if
			:: BROKEN(MEMORY_OUTLIVES_ITS_EPOCH) -> skip
			:: else ->                 /* what a service knows, or has noted, is of an epoch */
				handed[0] = false; noted[0] = false; failed[0] = false; gone[0] = gone[0] && elsewhere;
				handed[1] = false; noted[1] = false; failed[1] = false; gone[1] = gone[1] && elsewhere
			fi;
			word = word && BROKEN(WORD_OUTLIVES_ITS_EPOCH)
		:: else
		fi;
		deciding = false; gives = false; seen_word = false; seen_dead = false }
	od
}

init {
	atomic { copy[0] = RUNS; run service(0); run service(1) }
}
