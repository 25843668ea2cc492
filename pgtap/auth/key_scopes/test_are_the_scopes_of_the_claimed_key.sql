begin;
select plan(3);

select act_inside('alice', 'admin');
select is(auth.key_scopes(), array['read', 'write', 'admin'], 'the scopes of an admin key');
select act_inside('bob', 'read');
select is(auth.key_scopes(), array['read'], 'the scope of a read key');
select act_inside('stranger');
select is(auth.key_scopes(), null, 'null without a claim');

select * from finish();
rollback;
