"""Who is a member, and until when may it run what it owns?"""
