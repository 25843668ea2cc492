begin;
select plan(3);

select act_as('alice');
select act_as('dba');
select is(auth.key_id(), null, 'null without a claim');
select act_inside('alice', 'admin');
reset role;
select is(auth.key_id(), key_id('alice', 'admin'), 'alice''s key');
select act_inside('bob', 'read');
reset role;
select is(auth.key_id(), key_id('bob', 'read'), 'bob''s key');

select * from finish();
rollback;
