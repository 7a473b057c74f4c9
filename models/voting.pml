/* Can two halves of a cluster both go on? The database's members, who votes, and what is done without a majority.

Three nodes, each with a member of the database. A member has a log and the set of voters that its log names; a group of
members that reach each other commits what a majority of the newest one's voters has. Any group may be cut off from the
others at any moment; nodes lose power and get it back; disks are set back to an older state.

Every commit is one step of one history, so one invariant says it all: whoever commits knows everything that was committed
before. Two halves that both go on would break it, and so would a write that is lost.

Who is taken out by a majority may be any voter at any moment, also one whose member runs on and is only cut off, and
that comes back the moment after: so it makes no difference here whether its death was proven, whether it left in order,
or neither. (For a forced quorum it does: tests/core/test_voting_model.py.)

Not here: a forced quorum, which gives up the others' writes by an administrator's word; how a majority is found (etcd does
that): here the newest of a group leads it; and that a member hears a moment later that what it has acknowledged is
committed: whoever commits here knows it at once (docs/quorum.md, "What is not protected", says what that can cost).

MUTATION=n in the environment breaks one rule; see the list. With none, nothing may be found. */

#define N 3
#define ALL 7
#define MOST 4         /* commits */

/* The mutations: number, rule, what is broken. */
#define ALONE_UNFENCED 1               /* rule 4: the last of two goes on alone without the other one being off */
#define ALONE_WITH_AN_OLD_FENCING 2    /* rule 4: that the other one was off before contact was lost counts as well */
#define ALONE_IN_A_NEW_LIFE 3          /* rule 11: a node that has just booted goes on alone */
#define ALONE_OF_THREE 4               /* rule 11: one of three voters goes on alone when it has fenced one */
#define ALONE_UNKNOWN_TO_THE_OTHER 5   /* rule 11: it goes on alone although the other may know of a third voter */
#define START_AT_ONCE 6                /* rule 6: after a boot a member starts without a roll call */
#define MAJORITY_AT_THE_ROLL_CALL 7    /* rule 6: a majority of the voters is enough to start */
#define DISK_FROM_THE_PAST 8           /* rule 6: nobody asks whether the disk is older than the others remember */
#define DATA_LOST_AND_VOTES 9          /* rule 6: a member that has lost its data comes back as the voter that it was */
#define HALF_IS_ENOUGH 10              /* rule 1: half of the voters commit, and not a majority */

c_decl {
	static int mutation;
	__attribute__((constructor)) static void choose(void)
	{
		mutation = getenv("MUTATION") ? atoi(getenv("MUTATION")) : 0;
	}
};
#define BROKEN(rule) c_expr { mutation == rule }

bool power[N], member[N];   /* member: its process runs */
bool data[N]; byte last[N]; /* the last entry of its log */
byte voters[N];             /* as that log says, a set of bits */
bool session[N];            /* two vote, and it had a valid session in this life, up to the loss of contact */
bool pair[N];               /* since two vote, both have acknowledged a write */
bool off[N];                /* the other of the two was confirmed off since contact was lost */

/* Node 1's disk may be set back, but not to when it voted alone: then nobody else need know what is missing. */
bool saved, set_back; byte saved_last, saved_voters;
bool remembers[N];          /* this node has seen more of it than was saved */
byte committed;

/* For calculating only: always 0 between two steps. */
byte x, leader, votes;

#define in(set, one) (((set) >> (one)) & 1)
#define size(set) (in(set, 0) + in(set, 1) + in(set, 2))
#define runs(m) (power[m] && member[m] && data[m])
#define all_run(set) ((!in(set, 0) || runs(0)) && (!in(set, 1) || runs(1)) && (!in(set, 2) || runs(2)))
#define newest(set) ((in(set, 0) && (!in(set, 1) || last[0] >= last[1]) && (!in(set, 2) || last[0] >= last[2])) -> 0 : \
                     ((in(set, 1) && (!in(set, 2) || last[1] >= last[2])) -> 1 : 2))
#define majority(set) (2 * size((set) & voters[newest(set)]) + BROKEN(HALF_IS_ENOUGH) > size(voters[newest(set)]))
#define goes_on(set) (all_run(set) && majority(set))

inline commit(set, changed) {
	/* Everyone of the group has it; the others learn of it when they are in a group with one of these. */
	assert(last[newest(set)] == committed);
	committed++;
	x = 0;
	do
	:: x < N ->
		if
		:: in(set, x) ->
			last[x] = committed; voters[x] = changed;
			session[x] = (size(changed) == 2 || BROKEN(ALONE_OF_THREE));
			if :: BROKEN(ALONE_WITH_AN_OLD_FENCING) :: else -> off[x] = false fi;
			pair[x] = (size(changed) == 2 && (changed & set) == changed && votes == changed);
			if :: in(set, 1) && saved && !set_back -> remembers[x] = true :: else fi
		:: else
		fi;
		x++
	:: else -> break
	od;
	x = 0; votes = 0; leader = 0
}

/* Any group of members that reach each other and have a majority. */
proctype groups() {
	byte set, one;
	do
	:: atomic {
		if :: set = 1 :: set = 2 :: set = 3 :: set = 4 :: set = 5 :: set = 6 :: set = 7 fi;
		if :: one = 0 :: one = 1 :: one = 2 fi;
		if
		:: d_step { one == 0 && committed < MOST && goes_on(set) -> votes = voters[newest(set)]; commit(set, votes) }
		:: d_step { committed < MOST && goes_on(set) && in(voters[newest(set)], one) &&
		            size(voters[newest(set)]) > 1 -> leader = voters[newest(set)] & ~(1 << one); commit(set, leader) }
		:: d_step { committed < MOST && goes_on(set) && in(set, one) && !in(voters[newest(set)], one) ->
			leader = voters[newest(set)] | (1 << one); commit(set, leader) }
		/* Who threw its data away joins again: a learner first, and only when it votes no more. */
		:: d_step { goes_on(set) && power[one] && !data[one] && !in(voters[newest(set)], one) ->
			data[one] = true; member[one] = true;
			last[one] = last[newest(set)]; voters[one] = voters[newest(set)] }
		:: d_step { goes_on(set) && power[one] && !data[one] && in(voters[newest(set)], one) &&
		            BROKEN(DATA_LOST_AND_VOTES) ->
			data[one] = true; member[one] = true; voters[one] = voters[newest(set)] }
		:: else
		fi;
		set = 0; one = 0
	}
	od
}

#define waits_or_runs(m) (power[m] && data[m])
#define old_disk(m) (m == 1 && set_back && !BROKEN(DISK_FROM_THE_PAST) && \
	(power[0] && remembers[0] || power[2] && remembers[2]))

inline data_gone(m) {
	data[m] = false; last[m] = 0; voters[m] = 0;
	if :: m == 1 -> saved = false; set_back = false; saved_last = 0; saved_voters = 0; remembers[0] = false;
		remembers[1] = false; remembers[2] = false
	:: else
	fi
}

proctype node(byte m) {
	byte other;
	do
	/* The world. A power cut may be a fencing. */
	:: d_step { power[m] ->
		power[m] = false; member[m] = false; session[m] = false; pair[m] = false; off[m] = false }
	:: d_step { !power[m] -> power[m] = true }
	:: d_step { m == 1 && data[1] && !saved && size(voters[1]) > 1 ->
		saved = true; saved_last = last[1]; saved_voters = voters[1] }
	:: d_step { m == 1 && !power[1] && saved && data[1] && !set_back && size(voters[1]) > 1 ->
		last[1] = saved_last; voters[1] = saved_voters; set_back = true }
	:: d_step { !power[m] && data[m] && BROKEN(DATA_LOST_AND_VOTES) -> data_gone(m) }

	:: atomic {
		if :: m != 0 -> other = 0 :: m != 1 -> other = 1 :: m != 2 -> other = 2 fi;
		if
		/* The roll call: somebody says that the cluster runs, and that this member belongs to it ... */
		:: d_step { power[m] && data[m] && !member[m] && runs(other) && last[other] == committed &&
		            in(voters[other], m) && !old_disk(m) -> member[m] = true }
		/* ... or everyone who votes was heard. */
		:: d_step { power[m] && data[m] && !member[m] && (!in(voters[m], 0) || waits_or_runs(0)) &&
		            (!in(voters[m], 1) || waits_or_runs(1)) && (!in(voters[m], 2) || waits_or_runs(2)) &&
		            !old_disk(m) -> member[m] = true }
		:: d_step { power[m] && data[m] && !member[m] && BROKEN(START_AT_ONCE) -> member[m] = true }
		:: d_step { power[m] && data[m] && !member[m] && BROKEN(MAJORITY_AT_THE_ROLL_CALL) &&
		            waits_or_runs(other) && in(voters[m], other) && !old_disk(m) -> member[m] = true }

		/* The cluster runs without it: its data is thrown away. */
		:: d_step { power[m] && data[m] && !member[m] && runs(other) && last[other] == committed &&
		            !in(voters[other], m) -> data_gone(m) }

		/* The last of two. What was confirmed before contact was lost counts no more: see commit(). */
		:: d_step { power[m] && member[m] && in(voters[m], other) && !off[m] && !power[other] &&
		            (size(voters[m]) == 2 || BROKEN(ALONE_OF_THREE)) -> off[m] = true }
		:: d_step { committed < MOST && runs(m) && in(voters[m], other) && in(voters[m], m) &&
		            (size(voters[m]) == 2 || size(voters[m]) == 3 && BROKEN(ALONE_OF_THREE)) &&
		            (off[m] || BROKEN(ALONE_UNFENCED)) && (session[m] && pair[m] || BROKEN(ALONE_IN_A_NEW_LIFE) ||
		             session[m] && (size(voters[m]) == 3 || BROKEN(ALONE_UNKNOWN_TO_THE_OTHER))) ->
			assert(last[m] == committed);      /* nothing that was committed is lost */
			committed++; last[m] = committed; voters[m] = 1 << m;
			session[m] = false; pair[m] = false; off[m] = false }
		:: else
		fi;
		other = 0
	}
	od
}

init {
	atomic {
		power[0] = true; power[1] = true; power[2] = true;
		member[0] = true; member[1] = true; member[2] = true;
		data[0] = true; data[1] = true; data[2] = true;
		voters[0] = ALL; voters[1] = ALL; voters[2] = ALL;
		run groups(); run node(0); run node(1); run node(2)
	}
}
